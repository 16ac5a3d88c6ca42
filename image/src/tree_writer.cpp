#include "tree_writer.h"

#include "merged_view.h"
#include "tree_entry.h"

#include "base/error.h"
#include "base/text.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace image {
namespace {

timespec at(std::int64_t seconds) {
    return {static_cast<time_t>(seconds), 0};
}

} // namespace

void refuse_entry(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the archive is refused: " + base::quoted(name.substr(0, 300)) + " " + why);
}

void fail_at(std::string_view name) {
    base::throw_errno("could not unpack " + base::quoted(name.substr(0, 300)));
}

std::pair<std::string_view, std::string> split_name(std::string_view name) {
    const auto slash = name.rfind('/');
    if (slash == name.npos) return {{}, std::string(name)};
    return {name.substr(0, slash), std::string(name.substr(slash + 1))};
}

std::string join_name(std::string_view directory, std::string_view base) {
    return std::string(directory) + (directory.empty() ? "" : "/") + std::string(base);
}

EntryAttributes attributes_of(const struct stat& status) {
    return {status.st_mode & 07777, std::pair(status.st_uid, status.st_gid), status.st_mtim.tv_sec};
}

void set_attributes(int parent, const std::string& base, std::string_view name,
                    const EntryAttributes& attributes, bool is_link) {
    if (attributes.owner && ::fchownat(parent, base.c_str(), attributes.owner->first,
                                       attributes.owner->second, AT_SYMLINK_NOFOLLOW) != 0)
        fail_at(name);
    // After the owner: a change of owner clears the set-id bits. Links have no mode.
    if (!is_link && ::fchmodat(parent, base.c_str(), attributes.mode, 0) != 0) fail_at(name);
    if (attributes.mtime) {
        const timespec times[2] = {at(*attributes.mtime), at(*attributes.mtime)};
        if (::utimensat(parent, base.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) fail_at(name);
    }
}

TreeWriter::TreeWriter(const std::filesystem::path& root, LinkedParents links, unsigned directories,
                       const LayersBelow* below)
    : root_(base::open_file(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), links_(links),
      directory_mode_(directories), below_(below) {}

base::UniqueFd TreeWriter::open_directory(std::string_view name) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    if (links_ == LinkedParents::refuse) how.resolve |= RESOLVE_NO_SYMLINKS;
    const std::string path = name.empty() ? "." : std::string(name);
    while (true) {
        const long fd = ::syscall(SYS_openat2, root_.get(), path.c_str(), &how, sizeof how);
        // EAGAIN: something was renamed at that moment, the kernel asks us to try again.
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            return base::UniqueFd(static_cast<int>(fd));
    }
}

base::UniqueFd TreeWriter::ensure_directory(std::string_view name) {
    auto found = open_directory(name);
    if (!found) found = make_way(name).directory;
    return found;
}

TreeWriter::Place TreeWriter::place(std::string_view name) {
    auto [parent, base] = split_name(name);
    if (!parent_ || parent != parent_name_) {
        parent_ = ensure_directory(parent);
        parent_name_ = parent;
    }
    return {parent_.get(), std::move(base)};
}

// Removes what has the name already, as tar does; a directory stays and is refused. True when it
// was a whiteout.
bool TreeWriter::clear_the_way(const Place& at, std::string_view name) {
    struct stat status;
    if (::fstatat(at.parent, at.base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail_at(name);
    if (S_ISDIR(status.st_mode)) refuse_entry(name, "replaces a directory of the same archive");
    if (::unlinkat(at.parent, at.base.c_str(), 0) != 0) fail_at(name);
    if (!copies_.empty()) // what comes in its place is the layer's own
        copies_.erase(join_name(make_way(split_name(name).first).name, at.base));
    // A removed link may have been on the way to a directory that is remembered; "/" is no name, so
    // that the next one is looked up afresh.
    parent_name_ = "/";
    return S_ISCHR(status.st_mode);
}

void TreeWriter::make_directory(std::string_view name, const EntryAttributes& attributes) {
    if (attributes.mtime) times_.emplace_back(name, *attributes.mtime);
    if (name.empty()) return set_attributes(root_.get(), ".", "/", attributes, false);
    const Place at = place(name);
    bool was_whiteout = false;
    if (::mkdirat(at.parent, at.base.c_str(), 0700) != 0) {
        if (errno != EEXIST) fail_at(name);
        struct stat status;
        if (::fstatat(at.parent, at.base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail_at(name);
        if (!S_ISDIR(status.st_mode)) {
            was_whiteout = clear_the_way(at, name);
            if (::mkdirat(at.parent, at.base.c_str(), 0700) != 0) fail_at(name);
        } else if (!copies_.empty()) {
            copies_.erase(make_way(name).name); // now it is the layer's own
        }
    }
    set_attributes(at.parent, at.base, name, attributes, false);
    if (was_whiteout) make_opaque(name);
}

void TreeWriter::make_symlink(std::string_view name, const std::string& target,
                              const EntryAttributes& attributes) {
    const Place at = place(name);
    if (::symlinkat(target.c_str(), at.parent, at.base.c_str()) != 0) {
        if (errno != EEXIST) fail_at(name);
        clear_the_way(at, name);
        if (::symlinkat(target.c_str(), at.parent, at.base.c_str()) != 0) fail_at(name);
    }
    set_attributes(at.parent, at.base, name, attributes, true);
}

void TreeWriter::make_hard_link(std::string_view name, std::string_view existing) {
    const auto [parent, base] = split_name(existing);
    auto from = open_directory(parent);
    struct stat status;
    if (!from || ::fstatat(from.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        from = copy_up_file(existing, name);
        if (::fstatat(from.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail_at(name);
    }
    if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) refuse_entry(name, links_to_nothing);
    if (name == existing) return;
    const Place at = place(name);
    if (::linkat(from.get(), base.c_str(), at.parent, at.base.c_str(), 0) != 0) {
        if (errno != EEXIST) fail_at(name);
        clear_the_way(at, name);
        if (::linkat(from.get(), base.c_str(), at.parent, at.base.c_str(), 0) != 0)
            refuse_entry(name, "is a hard link to itself");
    }
}

// What the layer itself has under the name stays: a whiteout speaks of lower layers only.
void TreeWriter::make_whiteout(std::string_view name) {
    const Place at = place(name);
    if (!copies_.empty()) forget_copies(join_name(make_way(split_name(name).first).name, at.base));
    if (::mknodat(at.parent, at.base.c_str(), S_IFCHR, makedev(0, 0)) == 0) {
        whiteouts_.emplace_back(name);
        return;
    }
    if (errno != EEXIST) fail_at(name);
    struct stat status;
    if (::fstatat(at.parent, at.base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail_at(name);
    if (S_ISDIR(status.st_mode)) make_opaque(name); // its own entries alone are in it
}

void TreeWriter::make_opaque(std::string_view directory) {
    const auto fd = ensure_directory(directory);
    if (!copies_.empty()) {
        const auto name = make_way(directory).name;
        forget_copies_in(name);
        copies_.erase(name);
    }
    has_opaque_ = true;
    if (::fsetxattr(fd.get(), opaque_attribute, "y", 1, 0) == 0) return;
    if (errno == EOPNOTSUPP)
        throw base::Error(base::ErrorKind::unavailable,
                          "the file system has no extended attributes of users",
                          "Keep the state directory on ext4, xfs or btrfs.");
    fail_at(directory);
}

base::UniqueFd TreeWriter::open_file(std::string_view name) {
    const Place at = place(name);
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    base::UniqueFd file(::openat(at.parent, at.base.c_str(), flags, 0644));
    if (!file && errno == EEXIST) {
        clear_the_way(at, name);
        file = base::UniqueFd(::openat(at.parent, at.base.c_str(), flags, 0644));
    }
    if (!file) fail_at(name);
    return file;
}

void TreeWriter::close_file(base::UniqueFd file, std::uint64_t size,
                            const EntryAttributes& attributes) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0) base::throw_errno("could not unpack a file");
    if (static_cast<std::uint64_t>(status.st_size) < size && // a hole at its end
        ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        base::throw_errno("could not unpack a file");
    // Most are right as they were made, and calls are what many small files cost.
    const auto owner = attributes.owner.value_or(std::pair(status.st_uid, status.st_gid));
    const bool is_ours = owner == std::pair(status.st_uid, status.st_gid);
    if (!is_ours && ::fchown(file.get(), owner.first, owner.second) != 0)
        base::throw_errno("could not set a file's owner");
    if ((status.st_mode & 07777) != attributes.mode && ::fchmod(file.get(), attributes.mode) != 0)
        base::throw_errno("could not set a file's mode");
    if (attributes.mtime) {
        const timespec times[2] = {at(*attributes.mtime), at(*attributes.mtime)};
        if (::futimens(file.get(), times) != 0) base::throw_errno("could not set a file's time");
    }
    if (::close(file.release()) != 0) base::throw_errno("could not write a file");
}

bool TreeWriter::is_in_opaque(std::string_view name) {
    while (!name.empty()) {
        name = split_name(name).first;
        const auto directory = open_directory(name);
        if (directory && is_opaque(directory.get())) return true;
    }
    return false;
}

void TreeWriter::drop_hidden_whiteouts() {
    for (const auto& name : whiteouts_) {
        const auto [parent, base] = split_name(name);
        const auto directory = open_directory(parent);
        struct stat status;
        if (!directory ||
            ::fstatat(directory.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISCHR(status.st_mode) || !is_in_opaque(name))
            continue;
        if (::unlinkat(directory.get(), base.c_str(), 0) != 0) fail_at(name);
    }
}

void TreeWriter::finish() {
    parent_.reset();
    if (has_opaque_) drop_hidden_whiteouts();
    for (const auto& [name, mtime] : times_) {
        const auto directory = open_directory(name);
        if (!directory) continue; // replaced since
        const timespec times[2] = {at(mtime), at(mtime)};
        if (::futimens(directory.get(), times) != 0) fail_at(name);
    }
}

} // namespace image
