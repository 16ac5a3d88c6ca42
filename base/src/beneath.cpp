#include "base/beneath.h"

#include "base/error.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace base {
namespace {

EntryType type_of(int directory, const char* name) {
    struct stat status {};
    if (::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return EntryType::other;
    if (S_ISREG(status.st_mode)) return EntryType::file;
    if (S_ISDIR(status.st_mode)) return EntryType::directory;
    return S_ISLNK(status.st_mode) ? EntryType::symlink : EntryType::other;
}

} // namespace

UniqueFd open_beneath(const std::filesystem::path& root, std::string_view relative, int flags) {
    const UniqueFd directory = open_file(root, O_RDONLY | O_DIRECTORY);
    return while_doing("reading " + root.string(),
                       [&] { return open_beneath(directory.get(), relative, flags); });
}

UniqueFd open_beneath(int root, std::string_view relative, int flags) {
    // The kernel takes paths of less than PATH_MAX bytes: a longer one is walked in parts.
    UniqueFd above;
    while (relative.size() >= PATH_MAX) {
        const auto slash = relative.rfind('/', PATH_MAX - 2);
        if (slash == relative.npos) return {};
        above = open_beneath(above ? above.get() : root, relative.substr(0, slash),
                             O_PATH | O_DIRECTORY);
        if (!above) return {};
        relative.remove_prefix(slash + 1);
    }
    open_how how{};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK));
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string name = relative.empty() ? "." : std::string(relative);
    const auto fd = static_cast<int>(
        ::syscall(SYS_openat2, above ? above.get() : root, name.c_str(), &how, sizeof how));
    if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENOTDIR && errno != EXDEV &&
        errno != ENXIO && errno != ENAMETOOLONG)
        throw_errno("could not open " + name);
    return UniqueFd(fd);
}

UniqueFd create_beneath(const std::filesystem::path& root, std::string_view relative) {
    const UniqueFd directory = open_file(root, O_RDONLY | O_DIRECTORY);
    open_how how{};
    how.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    how.mode = 0644;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string name(relative);
    UniqueFd file(
        static_cast<int>(::syscall(SYS_openat2, directory.get(), name.c_str(), &how, sizeof how)));
    if (!file) throw_errno("could not make " + (root / name).string());
    return file;
}

std::optional<std::string> read_beneath(const std::filesystem::path& root,
                                        std::string_view relative, std::size_t limit) {
    const UniqueFd file = open_beneath(root, relative, O_RDONLY);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return while_doing("reading " + std::string(relative),
                       [&] { return read_to_end(file.get(), limit); });
}

std::vector<Entry> list_beneath(const std::filesystem::path& root, std::string_view relative) {
    UniqueFd fd = open_beneath(root, relative, O_RDONLY | O_DIRECTORY);
    std::vector<Entry> entries;
    if (!fd) return entries;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd.get()), ::closedir);
    if (!directory) throw_errno("could not list " + std::string(relative));
    const int opened = fd.release(); // closed with `directory`
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        entries.push_back({std::string(name), type_of(opened, entry->d_name)});
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return entries;
}

} // namespace base
