#include "cgroup.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <set>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

const fs::path slipway = "slipway";

// O_CREAT does nothing on a cgroup file system, where files come with their directory; it lets
// the tests pretend one in an ordinary directory.
void write_value(const fs::path& file, std::string_view value) {
    const auto fd = base::open_file(file, O_WRONLY | O_CREAT | O_CLOEXEC);
    if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
        base::throw_errno("could not write \"" + std::string(value) + "\" to " + file.string());
}

bool try_write(const fs::path& file, std::string_view value) noexcept {
    const base::UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return fd &&
           ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

void make_directory(const fs::path& directory) {
    if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
        base::throw_errno("could not make the cgroup " + directory.string());
}

bool has(const Hierarchy& hierarchy, std::string_view controller) {
    return std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(), controller) !=
           hierarchy.controllers.end();
}

void limit_version_1(const Hierarchy& hierarchy, const fs::path& sandbox, const Limits& limits) {
    if (has(hierarchy, "memory")) {
        const auto bytes = std::to_string(limits.memory_bytes);
        write_value(sandbox / "memory.limit_in_bytes", bytes);
        // Absent when the kernel does not count swap (swapaccount=0).
        if (!try_write(sandbox / "memory.memsw.limit_in_bytes", bytes))
            try_write(sandbox / "memory.swappiness", "0");
    }
    if (has(hierarchy, "pids")) write_value(sandbox / "pids.max", std::to_string(limits.pids));
    if (has(hierarchy, "cpu") && limits.cpus > 0) {
        constexpr int period = 100'000;
        write_value(sandbox / "cpu.cfs_period_us", std::to_string(period));
        write_value(sandbox / "cpu.cfs_quota_us",
                    std::to_string(std::max(1000, static_cast<int>(limits.cpus * period))));
    }
}

void limit_version_2(const Hierarchy& hierarchy, const fs::path& sandbox, const Limits& limits) {
    if (has(hierarchy, "memory")) {
        write_value(sandbox / "memory.max", std::to_string(limits.memory_bytes));
        // No limit on the sum exists here; without swap the sum is the memory.
        write_value(sandbox / "memory.swap.max", "0");
    }
    if (has(hierarchy, "pids")) write_value(sandbox / "pids.max", std::to_string(limits.pids));
    if (has(hierarchy, "cpu") && limits.cpus > 0) {
        constexpr int period = 100'000;
        write_value(sandbox / "cpu.max",
                    std::to_string(std::max(1000, static_cast<int>(limits.cpus * period))) + " " +
                        std::to_string(period));
    }
}

// Version 2 hands a controller down one level at a time, and only through cgroups without
// processes of their own; the root of the tree may have some.
void enable_controllers(const Hierarchy& hierarchy, const std::string& name) {
    const fs::path levels[] = {hierarchy.base, hierarchy.base / slipway,
                               hierarchy.base / slipway / name};
    for (const auto& level : levels)
        for (const auto& controller : hierarchy.controllers)
            if (controller != "freezer" && controller != "cpuacct")
                write_value(level / "cgroup.subtree_control", "+" + controller);
}

// Moving a process needs write access to both ends' common ancestor and to the destination; the
// limits next to these files stay ours.
void hand_over(const fs::path& cgroup, unsigned owner) {
    const auto file = cgroup / "cgroup.procs";
    if (::chown(file.c_str(), owner, owner) != 0 && errno != ENOENT)
        base::throw_errno("could not hand over " + file.string());
}

std::vector<pid_t> processes_in(const fs::path& cgroup) noexcept {
    std::vector<pid_t> pids;
    try {
        const auto text = base::read_file(cgroup / "cgroup.procs");
        for (const char* at = text.c_str(); *at != '\0';) {
            char* end = nullptr;
            const long pid = std::strtol(at, &end, 10);
            if (end == at) break;
            if (pid > 0) pids.push_back(static_cast<pid_t>(pid)); // 0: not of our pid namespace
            at = *end == '\0' ? end : end + 1;
        }
    } catch (const std::exception&) { // gone: nobody is in it
    }
    return pids;
}

// rmdir answers EBUSY until the last zombie was reaped.
void remove_cgroup(const fs::path& cgroup) noexcept {
    for (int attempt = 0; attempt < 2000; ++attempt) {
        if (::rmdir(cgroup.c_str()) == 0 || errno != EBUSY) return;
        ::poll(nullptr, 0, 1);
    }
}

// False: somebody is in it after all.
bool remove_dead(const fs::path& worker) noexcept {
    for (int attempt = 0; attempt < 2000; ++attempt) {
        if (::rmdir(worker.c_str()) == 0 || errno == ENOENT) return true;
        if (errno != EBUSY || !processes_in(worker).empty()) return false;
        ::poll(nullptr, 0, 1);
    }
    return false;
}

void remove_group(const Hierarchy& hierarchy, const std::string& name) noexcept {
    const auto group = hierarchy.base / slipway / name;
    remove_cgroup(group / "sandbox");
    remove_cgroup(group / "worker");
    remove_cgroup(group);
    // "slipway" itself stays: another worker may be about to make its own cgroup there.
}

std::uint64_t read_counter(const fs::path& file, std::string_view key) noexcept {
    // Of a dozen files two are there, and this is asked before and after every command.
    if (::access(file.c_str(), R_OK) != 0) return 0;
    try {
        const auto text = "\n" + base::read_file(file);
        const auto at = text.find("\n" + std::string(key) + " ");
        if (at == std::string::npos) return 0;
        return std::strtoull(text.c_str() + at + 2 + key.size(), nullptr, 10);
    } catch (const std::exception&) {
        return 0;
    }
}

// Several times: until this process is in it, the sweep() of another program, or of several, may
// take the new cgroup for a dead worker's.
void join_worker(const fs::path& group, int attempts = 10) {
    try {
        make_directory(group.parent_path());
        make_directory(group);
        make_directory(group / "worker");
        write_value(group / "worker" / "cgroup.procs", "0");
    } catch (const base::Error& error) {
        if (attempts == 1 || error.kind() != base::ErrorKind::not_found) throw;
        join_worker(group, attempts - 1);
    }
}

} // namespace

Cgroups Cgroups::create(std::vector<Hierarchy> hierarchies, const std::string& name,
                        const Limits& limits, std::optional<unsigned> owner) {
    Cgroups cgroups(std::move(hierarchies), name);
    for (const auto& hierarchy : cgroups.hierarchies_) {
        const auto group = hierarchy.base / slipway / name;
        join_worker(group); // first: in a delegated tree our leaving its top allows controllers
        if (hierarchy.unified) enable_controllers(hierarchy, name);
        const auto sandbox = group / "sandbox";
        make_directory(sandbox);
        hierarchy.unified ? limit_version_2(hierarchy, sandbox, limits)
                          : limit_version_1(hierarchy, sandbox, limits);
        if (!owner) continue;
        hand_over(group, *owner);
        hand_over(sandbox, *owner);
    }
    return cgroups;
}

Cgroups::~Cgroups() {
    if (hierarchies_.empty()) return;
    kill_all(sandbox());
    for (const auto& hierarchy : hierarchies_) {
        // Where we came from may be gone or closed to us; then the top of the tree will do.
        if (!try_write(hierarchy.own / "cgroup.procs", "0"))
            try_write(hierarchy.base / "cgroup.procs", "0");
        remove_group(hierarchy, name_);
    }
}

std::vector<fs::path> Cgroups::sandbox() const {
    std::vector<fs::path> paths;
    for (const auto& hierarchy : hierarchies_)
        paths.push_back(hierarchy.base / slipway / name_ / "sandbox");
    return paths;
}

Refusals read_refusals(const std::vector<fs::path>& cgroups) noexcept {
    Refusals refusals;
    for (const auto& cgroup : cgroups) {
        refusals.killed_for_memory += read_counter(cgroup / "memory.oom_control", "oom_kill") +
                                      read_counter(cgroup / "memory.events", "oom_kill");
        refusals.processes_refused += read_counter(cgroup / "pids.events", "max");
    }
    return refusals;
}

bool kill_all(const std::vector<fs::path>& cgroups) noexcept {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
        bool empty = true;
        for (const auto& cgroup : cgroups) {
            if (processes_in(cgroup).empty()) continue;
            empty = false;
            if (try_write(cgroup / "cgroup.kill", "1")) continue;
            // Frozen processes cannot fork away from the list while it is walked.
            try_write(cgroup / "freezer.state", "FROZEN");
            for (const auto pid : processes_in(cgroup)) ::kill(pid, SIGKILL);
            try_write(cgroup / "freezer.state", "THAWED");
        }
        if (empty) return true;
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::poll(nullptr, 0, 5);
    }
}

void sweep(const std::vector<Hierarchy>& hierarchies) {
    std::vector<std::pair<const Hierarchy*, std::string>> dead;
    std::set<std::string> names;
    for (const auto& hierarchy : hierarchies) {
        std::error_code absent;
        for (const auto& entry : fs::directory_iterator(hierarchy.base / slipway, absent)) {
            if (!entry.is_directory(absent)) continue;
            if (processes_in(entry.path() / "worker").empty())
                dead.emplace_back(&hierarchy, entry.path().filename().string());
        }
    }
    for (const auto& [hierarchy, name] : dead) {
        // It may have been one that was about to join when it was looked at.
        if (!remove_dead(hierarchy->base / slipway / name / "worker")) continue;
        if (names.insert(name).second)
            base::log::info("removing the cgroups of a dead worker", {{"name", name}});
        const auto group = hierarchy->base / slipway / name;
        kill_all({group / "sandbox"});
        remove_cgroup(group / "sandbox");
        remove_cgroup(group); // not when somebody joins just now
    }
}

} // namespace engine
