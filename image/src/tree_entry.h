// What tree_writer.cpp and copy_up.cpp do with one name of a tree.
#pragma once

#include "tree_writer.h"

#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>

namespace image {

[[noreturn]] void refuse_entry(std::string_view name, const char* why);
[[noreturn]] void fail_at(std::string_view name); // with errno

// "a/b/c" to "a/b" and "c"; the first is empty at the top.
std::pair<std::string_view, std::string> split_name(std::string_view name);
std::string join_name(std::string_view directory, std::string_view base);

void set_attributes(int parent, const std::string& base, std::string_view name,
                    const EntryAttributes& attributes, bool is_link);
EntryAttributes attributes_of(const struct stat& status);

inline constexpr const char* links_to_nothing =
    "is a hard link to what is not a file before it in the archive";

} // namespace image
