#include "state_directory.h"

#include "base/error.h"
#include "base/in_use.h"
#include "base/log.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>

namespace server {

using base::Error;
using base::ErrorKind;

namespace {

std::optional<SystemUser> find_user(const std::string& name) {
    passwd entry{};
    passwd* found = nullptr;
    std::vector<char> buffer(16384);
    ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (!found) return std::nullopt;
    return SystemUser{name, entry.pw_uid, entry.pw_gid};
}

void give_to(const std::filesystem::path& path, uid_t uid, gid_t gid) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && info.st_uid == uid && info.st_gid == gid) return;
    if (::lchown(path.c_str(), uid, gid) != 0)
        base::throw_errno("could not change the owner of " + path.string());
}

// The door's user reaches its repositories through every directory above them.
void check_way_to(const std::filesystem::path& path, const SystemUser& user) {
    std::filesystem::path way;
    for (const auto& part : path) {
        way /= part;
        struct stat info {};
        if (::stat(way.c_str(), &info) != 0) base::throw_errno("could not look at " + way.string());
        const mode_t bit = info.st_uid == user.uid   ? S_IXUSR
                           : info.st_gid == user.gid ? S_IXGRP
                                                     : S_IXOTH;
        if (!(info.st_mode & bit))
            throw Error(ErrorKind::denied,
                        "the user " + user.name + " may not pass through " + way.string(),
                        "Run chmod o+x " + way.string() + ", or choose another state directory.");
    }
}

} // namespace

SystemUser look_up_user(const std::string& name) {
    if (const auto user = find_user(name)) return *user;
    throw Error(ErrorKind::not_found, "there is no system user \"" + name + "\"",
                "Make it: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin " +
                    name);
}

SystemUser own_user() {
    const passwd* entry = ::getpwuid(::geteuid());
    return {entry ? entry->pw_name : std::to_string(::geteuid()), ::geteuid(), ::getegid()};
}

SystemUser choose_user(const std::string& wanted, const std::string& usual,
                       const std::string& config_key) {
    const auto own = own_user();
    if (!wanted.empty()) {
        const auto user = look_up_user(wanted);
        if (user.uid != own.uid && own.uid != 0)
            throw Error(ErrorKind::denied, config_key + ": only root may run programs as " + wanted,
                        "Start slipwayd as root, or leave " + config_key + " empty.");
        return user;
    }
    if (own.uid != 0) return own;
    if (const auto user = find_user(usual)) return *user;
    base::log::warning("a program that strangers speak to runs as root: there is no user for it",
                       {{"wanted", usual}, {"key", config_key}});
    return own;
}

std::optional<std::pair<uid_t, gid_t>> run_as(const SystemUser& user) {
    if (user.uid == ::geteuid()) return std::nullopt;
    return std::pair(user.uid, user.gid);
}

void make_directory(const std::filesystem::path& path, unsigned mode) {
    std::filesystem::create_directories(path);
    if (::chmod(path.c_str(), mode) != 0)
        base::throw_errno("could not change the mode of " + path.string());
}

std::uint64_t free_space(const std::filesystem::path& path) {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0)
        base::throw_errno("could not look at the disk of " + path.string());
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

StateDirectory::StateDirectory(std::filesystem::path root, const SystemUser& door,
                               unsigned builds_owner)
    : root_(std::move(root)), builds_owner_(::geteuid() == 0 ? builds_owner : 0) {
    // Others pass through (the door's user, the ids of builds) but list nothing.
    try {
        make_directory(root_, 0711);
        make_directory(run(), 0711);
    } catch (const std::filesystem::filesystem_error& error) {
        base::throw_errno(error.code().value(), "could not make " + root_.string());
    }
    root_ = std::filesystem::canonical(root_);
    take_lock();
    for (const auto& own : {logs(), registry(), host_keys(), kept()}) make_directory(own, 0700);
    for (const auto& passed : {caches(), builds(), programs()}) make_directory(passed, 0711);
    make_directory(repositories(), 0700);
    give_to(repositories(), door.uid, door.gid);
    make_for_builds(images());
    make_for_builds(buildpack_sources());
    check_way_to(root_, door);
}

void StateDirectory::make_for_builds(const std::filesystem::path& directory) const {
    if (!std::filesystem::exists(directory)) make_directory(directory, 0700);
    if (builds_owner_ != 0) give_to(directory, builds_owner_, builds_owner_);
}

// A prune that looked at the table before the app ran has renamed the directory by the time that we
// may use it; one that looks later sees that it runs.
std::filesystem::path StateDirectory::make_cache_of(const std::string& app) const {
    const auto cache = caches() / app;
    do make_for_builds(cache);
    while (!base::use(cache));
    return cache;
}

void StateDirectory::take_lock() {
    lock_ = base::open_file(run() / "lock", O_RDWR | O_CREAT, 0600);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) base::throw_errno("could not lock " + root_.string());
        char holder[32] = {};
        const auto n = ::pread(lock_.get(), holder, sizeof holder - 1, 0);
        throw Error(
            ErrorKind::already_exists,
            "another slipwayd (process " +
                base::trim(std::string_view(holder, n > 0 ? static_cast<std::size_t>(n) : 0)) +
                ") runs with the state directory " + root_.string(),
            "Stop that one first, or give this one another directory with --state.");
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock_.get(), 0) != 0 ||
        ::pwrite(lock_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
        base::throw_errno("could not write " + (run() / "lock").string());
}

} // namespace server
