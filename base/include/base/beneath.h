// Reading what strangers left in a directory of ours, and writing beside it: no symbolic link is
// ever followed, nothing outside `root` is ever opened (openat2, RESOLVE_BENEATH |
// RESOLVE_NO_SYMLINKS).
#pragma once

#include "base/fd.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// An open descriptor; empty when there is nothing of that name, or a link on the way to it.
UniqueFd open_beneath(const std::filesystem::path& root, std::string_view relative, int flags);
// The same below an open directory.
UniqueFd open_beneath(int root, std::string_view relative, int flags);

// A regular file's bytes; empty when it is absent, a link or not a regular file. Throws
// Error{limit_exceeded} when it is larger than `limit`.
std::optional<std::string> read_beneath(const std::filesystem::path& root,
                                        std::string_view relative, std::size_t limit = 1u << 20);

// Makes a new regular file, 0644, and answers its descriptor. Throws when there is something of
// that name already, or a link on the way to it.
UniqueFd create_beneath(const std::filesystem::path& root, std::string_view relative);

enum class EntryType { file, directory, symlink, other };
struct Entry {
    std::string name;
    EntryType type;
};

// Sorted by name; empty when it is absent or not a directory.
std::vector<Entry> list_beneath(const std::filesystem::path& root, std::string_view relative);

} // namespace base
