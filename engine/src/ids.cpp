#include "ids.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#include <charconv>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace engine {
namespace {

std::optional<unsigned> to_number(std::string_view text) {
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string user_name(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return found ? found->pw_name : std::to_string(uid);
}

std::optional<unsigned> look_up(const char* file, const std::string& user, unsigned least) {
    try {
        return find_subordinate_ids(base::read_file(file), user, ::getuid(), least);
    } catch (const base::Error&) {
        return std::nullopt;
    }
}

void write_map(pid_t pid, const char* file, const std::string& line) {
    const auto path = "/proc/" + std::to_string(pid) + "/" + file;
    const auto fd = base::open_file(path, O_WRONLY | O_CLOEXEC);
    if (::write(fd.get(), line.data(), line.size()) < 0)
        base::throw_errno("could not map the build's ids (" + path + ")");
}

// The programs of package uidmap are allowed to write what /etc/subuid gives us.
void run_map_program(const char* program, pid_t pid, unsigned own, unsigned first_id) {
    base::Command command;
    command.argv = {program,
                    std::to_string(pid),
                    "0",
                    std::to_string(own),
                    "1",
                    "1",
                    std::to_string(first_id),
                    std::to_string(id_count - 1)};
    command.environment = base::minimal_environment();
    const auto done = base::run(command, base::Stop{}.within(std::chrono::seconds(10)));
    if (!done.status.ok())
        throw base::Error(base::ErrorKind::denied, std::string(program) + " failed: " + done.error,
                          "install the package uidmap and give this user 65536 ids in /etc/subuid "
                          "and /etc/subgid");
}

} // namespace

std::optional<unsigned> find_subordinate_ids(std::string_view file, std::string_view user,
                                             uid_t uid, unsigned least) {
    while (!file.empty()) {
        const auto line = file.substr(0, file.find('\n'));
        file.remove_prefix(std::min(file.size(), line.size() + 1));
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const auto owner = line.substr(0, first);
        if (owner != user && to_number(owner) != uid) continue;
        const auto start = to_number(line.substr(first + 1, second - first - 1));
        const auto count = to_number(line.substr(second + 1));
        if (start && count && *count >= least && *start > 0) return start;
    }
    return std::nullopt;
}

unsigned choose_first_id(unsigned configured) {
    if (configured != 0) return configured;
    const auto user = user_name(::geteuid());
    const unsigned least = ::geteuid() == 0 ? id_count : id_count - 1;
    const auto uids = look_up("/etc/subuid", user, least);
    const auto gids = look_up("/etc/subgid", user, least);
    if (uids && gids && *uids == *gids) return *uids;
    throw base::Error(base::ErrorKind::denied,
                      "no range of 65536 user ids is set aside for the builds",
                      "add the line \"" + user +
                          ":200000:65536\" to both /etc/subuid and /etc/subgid, or set the first "
                          "id in the configuration");
}

void write_id_maps(pid_t pid, unsigned first_id) {
    if (::geteuid() == 0) {
        const auto line = "0 " + std::to_string(first_id) + " " + std::to_string(id_count);
        write_map(pid, "uid_map", line);
        write_map(pid, "gid_map", line);
        return;
    }
    run_map_program("newuidmap", pid, ::geteuid(), first_id);
    run_map_program("newgidmap", pid, ::getegid(), first_id);
}

} // namespace engine
