#include "files.h"

#include "failure.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace launch {
namespace {

bool entry_is_directory(int directory, const dirent& entry) {
    if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
    struct stat status {};
    return ::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(status.st_mode);
}

std::optional<struct stat> status_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return status;
    if (errno == ENOENT) return std::nullopt;
    fail("cannot look at " + path + ": " + reason(errno));
}

} // namespace

std::vector<DirectoryEntry> list_directory(const std::string& path) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) {
        if (errno == ENOENT) return {};
        fail("cannot list the directory " + path + ": " + reason(errno));
    }
    std::vector<DirectoryEntry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..")
            entries.push_back({std::string{name}, entry_is_directory(::dirfd(directory), *entry)});
        errno = 0;
    }
    if (errno != 0) fail("cannot list the directory " + path + ": " + reason(errno));
    ::closedir(directory);
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return entries;
}

bool exists(const std::string& path) {
    return status_of(path).has_value();
}

bool is_directory(const std::string& path) {
    const auto status = status_of(path);
    return status && S_ISDIR(status->st_mode);
}

std::optional<std::string> read_file(const std::string& path, size_t limit) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            const int error_number = errno;
            ::close(fd);
            errno = error_number;
            return std::nullopt;
        }
        if (got == 0) break;
        text.append(buffer, static_cast<size_t>(got));
        if (text.size() > limit) fail(path + " is larger than " + std::to_string(limit) + " bytes");
    }
    ::close(fd);
    return text;
}

std::string join(std::string_view directory, std::string_view name) {
    std::string path{directory};
    if (!path.ends_with('/')) path += '/';
    return path.append(name);
}

std::string absolute(std::string_view path, std::string_view base) {
    return path.starts_with('/') ? std::string{path} : join(base, path);
}

std::string current_directory() {
    char* path = ::getcwd(nullptr, 0);
    if (path == nullptr) fail("cannot tell the current directory: " + reason(errno));
    std::string result = path;
    ::free(path);
    return result;
}

} // namespace launch
