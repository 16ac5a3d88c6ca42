// Reading the layers directory: sorted listings, existence, whole small files. Everything is
// opened O_CLOEXEC, since the process that opens it becomes the application.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace launch {

struct DirectoryEntry {
    std::string name;
    bool is_directory = false; // of the entry itself: a symbolic link to a directory is none
};

// In ascending order of the bytes of the name. Empty when there is no such directory; any other
// obstacle ends the launch.
std::vector<DirectoryEntry> list_directory(const std::string& path);

// Follow symbolic links. Obstacles other than absence end the launch.
bool exists(const std::string& path);
bool is_directory(const std::string& path);

// nullopt (with errno set) when it cannot be read; a file above `limit` ends the launch.
std::optional<std::string> read_file(const std::string& path, size_t limit);

std::string join(std::string_view directory, std::string_view name);

// `path` itself when it is absolute, otherwise below `base`.
std::string absolute(std::string_view path, std::string_view base);

std::string current_directory();

} // namespace launch
