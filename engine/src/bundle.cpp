#include "bundle.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/resource.h>
#include <sys/statvfs.h>

namespace engine {
namespace {

using nlohmann::json;

json file_system(const char* destination, const char* type, std::vector<std::string> options) {
    return {{"destination", destination}, {"type", type}, {"source", type}, {"options", options}};
}

// A user namespace may not take flags away from a mount that it was given, so a bind must name
// those that its source has. The kernel refuses the container otherwise.
json bind_mount(const std::filesystem::path& source, const std::string& destination,
                Mount::Access access) {
    std::vector<std::string> options = {"rbind", "rprivate", "nosuid", "nodev"};
    struct statvfs info {};
    if (::statvfs(source.c_str(), &info) != 0)
        base::throw_errno("cannot mount " + source.string() + " into the sandbox");
    const bool read_only = access == Mount::Access::read_only || (info.f_flag & ST_RDONLY) != 0;
    options.push_back(read_only ? "ro" : "rw");
    if (info.f_flag & ST_NOEXEC) options.push_back("noexec");
    return {{"destination", destination},
            {"type", "bind"},
            {"source", source.string()},
            {"options", options}};
}

json mounts(const SandboxSpec& spec, const BundlePaths& paths) {
    const auto read_only = Mount::Access::read_only;
    auto list = json::array({
        file_system("/proc", "proc", {"nosuid", "noexec", "nodev"}),
        file_system("/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=64k"}),
        file_system("/dev/pts", "devpts",
                    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
        file_system("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=256m"}),
        file_system("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        file_system(
            "/tmp", "tmpfs",
            {"nosuid", "nodev", "mode=1777", "size=" + std::to_string(spec.limits.tmp_bytes)}),
        bind_mount(spec.init, init_path, read_only),
    });
    for (const char* name : {"resolv.conf", "hosts", "hostname"})
        list.push_back(bind_mount(paths.etc / name, std::string("/etc/") + name, read_only));
    for (const auto& mount : spec.mounts) {
        if (!mount.destination.starts_with('/'))
            throw base::Error(base::ErrorKind::internal,
                              "a mount's destination is not absolute: " + mount.destination);
        list.push_back(bind_mount(mount.source, mount.destination, mount.access));
    }
    return list;
}

json limit(const char* type, std::uint64_t value) {
    return {{"type", type}, {"soft", value}, {"hard", value}};
}

// Raising a hard limit takes a capability of the host's; ours is the most that we can give.
std::uint64_t open_files(std::uint64_t wanted) {
    rlimit own{};
    if (::getrlimit(RLIMIT_NOFILE, &own) != 0 || own.rlim_max == RLIM_INFINITY) return wanted;
    return std::min<std::uint64_t>(wanted, own.rlim_max);
}

json resource_limits(const SandboxSpec& spec) {
    auto limits = json::array(
        {limit("RLIMIT_CORE", 0), limit("RLIMIT_NOFILE", open_files(spec.limits.open_files))});
    if (!spec.cgroups.empty()) return limits;
    // The best there is without cgroups: per process and per user instead of for all together.
    limits.push_back(limit("RLIMIT_DATA", spec.limits.memory_bytes));
    limits.push_back(limit("RLIMIT_NPROC", spec.limits.pids));
    return limits;
}

json process(const SandboxSpec& spec) {
    return {
        {"terminal", false},
        {"user", {{"uid", spec.uid}, {"gid", spec.gid}, {"umask", 022}}},
        {"args", {init_path}},
        {"env", {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
        {"cwd", "/"},
        {"capabilities",
         {{"bounding", json::array()},
          {"effective", json::array()},
          {"inheritable", json::array()},
          {"permitted", json::array()},
          {"ambient", json::array()}}},
        {"noNewPrivileges", true},
        {"rlimits", resource_limits(spec)},
    };
}

// The ids of the worker's own user namespace once more: the nested one only takes away the rights
// over the mounts, processes and network that the worker has. In the pieces in which the worker
// got them (an ordinary user's root is apart from the rest): the kernel maps no range across two.
json identity_map(const char* own_map) {
    auto map = json::array();
    std::istringstream lines(base::read_file(own_map));
    for (std::uint64_t inside, outside, count; lines >> inside >> outside >> count;)
        map.push_back({{"containerID", inside}, {"hostID", inside}, {"size", count}});
    return map;
}

json linux_section(const BundlePaths& paths) {
    auto namespaces = json::array();
    for (const char* type : {"pid", "mount", "ipc", "uts", "user", "cgroup"})
        namespaces.push_back({{"type", type}});
    namespaces.push_back({{"type", "network"}, {"path", paths.network.string()}});
    return {
        {"namespaces", namespaces},
        {"uidMappings", identity_map("/proc/self/uid_map")},
        {"gidMappings", identity_map("/proc/self/gid_map")},
        {"seccomp", seccomp_filter()},
        {"maskedPaths",
         {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
          "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list",
          "/proc/timer_stats", "/sys/firmware"}},
        {"readonlyPaths",
         {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}},
    };
}

} // namespace

std::string render_config(const SandboxSpec& spec, const BundlePaths& paths) {
    return base::json::render({
        {"ociVersion", "1.0.2"},
        {"hostname", spec.hostname},
        {"root", {{"path", paths.root.string()}, {"readonly", true}}},
        {"process", process(spec)},
        {"mounts", mounts(spec, paths)},
        {"linux", linux_section(paths)},
    });
}

} // namespace engine
