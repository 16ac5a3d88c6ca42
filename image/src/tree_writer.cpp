#include "tree_writer.h"

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

[[noreturn]] void refuse(std::string_view name, const char* why) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "the archive is refused: " + base::quoted(name.substr(0, 300)) + " " + why);
}

[[noreturn]] void fail(std::string_view name) {
    base::throw_errno("could not unpack " + base::quoted(name.substr(0, 300)));
}

timespec at(std::int64_t seconds) {
    return {static_cast<time_t>(seconds), 0};
}

void set_attributes(int parent, const std::string& base, std::string_view name,
                    const EntryAttributes& attributes, bool is_link) {
    if (attributes.owner && ::fchownat(parent, base.c_str(), attributes.owner->first,
                                       attributes.owner->second, AT_SYMLINK_NOFOLLOW) != 0)
        fail(name);
    // After the owner: a change of owner clears the set-id bits. Links have no mode.
    if (!is_link && ::fchmodat(parent, base.c_str(), attributes.mode, 0) != 0) fail(name);
    if (attributes.mtime) {
        const timespec times[2] = {at(*attributes.mtime), at(*attributes.mtime)};
        if (::utimensat(parent, base.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) fail(name);
    }
}

} // namespace

TreeWriter::TreeWriter(const std::filesystem::path& root, LinkedParents links, unsigned directories)
    : root_(base::open_file(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)), links_(links),
      directory_mode_(directories) {}

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
    if (found) return found;
    if (errno == ENOTDIR || errno == ELOOP)
        refuse(name, "is a link or a file but has entries in it");
    if (errno != ENOENT || name.empty()) fail(name);

    const auto slash = name.rfind('/');
    const auto parent = ensure_directory(slash == name.npos ? "" : name.substr(0, slash));
    const std::string base(slash == name.npos ? name : name.substr(slash + 1));
    if (::mkdirat(parent.get(), base.c_str(), 0700) != 0) {
        if (errno == EEXIST) refuse(name, "is a link to nothing but has entries in it");
        fail(name);
    }
    ++implied_;
    if (::fchmodat(parent.get(), base.c_str(), directory_mode_, 0) != 0) fail(name);
    found = open_directory(name);
    if (!found) fail(name);
    return found;
}

TreeWriter::Place TreeWriter::place(std::string_view name) {
    const auto slash = name.rfind('/');
    const auto parent = slash == name.npos ? std::string_view{} : name.substr(0, slash);
    if (!parent_ || parent != parent_name_) {
        parent_ = ensure_directory(parent);
        parent_name_ = parent;
    }
    return {parent_.get(), std::string(slash == name.npos ? name : name.substr(slash + 1))};
}

// Removes what has the name already, as tar does; a directory stays and is refused. True when it
// was a whiteout.
bool TreeWriter::clear_the_way(const Place& at, std::string_view name) {
    struct stat status;
    if (::fstatat(at.parent, at.base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(name);
    if (S_ISDIR(status.st_mode)) refuse(name, "replaces a directory of the same archive");
    if (::unlinkat(at.parent, at.base.c_str(), 0) != 0) fail(name);
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
        if (errno != EEXIST) fail(name);
        struct stat status;
        if (::fstatat(at.parent, at.base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(name);
        if (!S_ISDIR(status.st_mode)) {
            was_whiteout = clear_the_way(at, name);
            if (::mkdirat(at.parent, at.base.c_str(), 0700) != 0) fail(name);
        }
    }
    set_attributes(at.parent, at.base, name, attributes, false);
    if (was_whiteout) make_opaque(name);
}

void TreeWriter::make_symlink(std::string_view name, const std::string& target,
                              const EntryAttributes& attributes) {
    const Place at = place(name);
    if (::symlinkat(target.c_str(), at.parent, at.base.c_str()) != 0) {
        if (errno != EEXIST) fail(name);
        clear_the_way(at, name);
        if (::symlinkat(target.c_str(), at.parent, at.base.c_str()) != 0) fail(name);
    }
    set_attributes(at.parent, at.base, name, attributes, true);
}

void TreeWriter::make_hard_link(std::string_view name, std::string_view existing) {
    const auto slash = existing.rfind('/');
    const auto from =
        open_directory(slash == existing.npos ? std::string_view{} : existing.substr(0, slash));
    const std::string base(slash == existing.npos ? existing : existing.substr(slash + 1));
    struct stat status;
    if (!from || ::fstatat(from.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)))
        refuse(name, "is a hard link to what is not a file before it in the archive");
    if (name == existing) return;
    const Place at = place(name);
    if (::linkat(from.get(), base.c_str(), at.parent, at.base.c_str(), 0) != 0) {
        if (errno != EEXIST) fail(name);
        clear_the_way(at, name);
        if (::linkat(from.get(), base.c_str(), at.parent, at.base.c_str(), 0) != 0)
            refuse(name, "is a hard link to itself");
    }
}

// What the layer itself has under the name stays: a whiteout speaks of lower layers only.
void TreeWriter::make_whiteout(std::string_view name) {
    const Place at = place(name);
    if (::mknodat(at.parent, at.base.c_str(), S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST)
        fail(name);
}

void TreeWriter::make_opaque(std::string_view directory) {
    const auto fd = ensure_directory(directory);
    if (::fsetxattr(fd.get(), "user.overlay.opaque", "y", 1, 0) == 0) return;
    if (errno == EOPNOTSUPP)
        throw base::Error(base::ErrorKind::unavailable,
                          "the file system has no extended attributes of users",
                          "Keep the state directory on ext4, xfs or btrfs.");
    fail(directory);
}

base::UniqueFd TreeWriter::open_file(std::string_view name) {
    const Place at = place(name);
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    base::UniqueFd file(::openat(at.parent, at.base.c_str(), flags, 0600));
    if (!file && errno == EEXIST) {
        clear_the_way(at, name);
        file = base::UniqueFd(::openat(at.parent, at.base.c_str(), flags, 0600));
    }
    if (!file) fail(name);
    return file;
}

void TreeWriter::close_file(base::UniqueFd file, std::uint64_t size,
                            const EntryAttributes& attributes) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0) base::throw_errno("could not unpack a file");
    if (static_cast<std::uint64_t>(status.st_size) < size && // a hole at its end
        ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        base::throw_errno("could not unpack a file");
    if (attributes.owner &&
        ::fchown(file.get(), attributes.owner->first, attributes.owner->second) != 0)
        base::throw_errno("could not set a file's owner");
    if (::fchmod(file.get(), attributes.mode) != 0)
        base::throw_errno("could not set a file's mode");
    if (attributes.mtime) {
        const timespec times[2] = {at(*attributes.mtime), at(*attributes.mtime)};
        if (::futimens(file.get(), times) != 0) base::throw_errno("could not set a file's time");
    }
    if (::close(file.release()) != 0) base::throw_errno("could not write a file");
}

void TreeWriter::finish() {
    parent_.reset();
    for (const auto& [name, mtime] : times_) {
        const auto directory = open_directory(name);
        if (!directory) continue; // replaced since
        const timespec times[2] = {at(mtime), at(mtime)};
        if (::futimens(directory.get(), times) != 0) fail(name);
    }
}

} // namespace image
