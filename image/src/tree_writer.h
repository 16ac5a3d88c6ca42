// Creates files below one directory for names that strangers chose. Each name is resolved by the
// kernel inside that directory (openat2, RESOLVE_IN_ROOT): an absolute link or a chain of ".."
// ends at its root, and no other. One thread owns a TreeWriter.
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace image {

struct EntryAttributes {
    unsigned mode = 0;                                  // 07777 at most
    std::optional<std::pair<unsigned, unsigned>> owner; // empty: ours
    std::optional<std::int64_t> mtime;                  // empty: now
};

// An entry whose name leads through a symlink of the same archive.
enum class LinkedParents { follow_inside, refuse };

class TreeWriter {
  public:
    // directories: the mode of those that are made because a name needs them.
    TreeWriter(const std::filesystem::path& root, LinkedParents links, unsigned directories);

    void make_directory(std::string_view name, const EntryAttributes& attributes);
    void make_symlink(std::string_view name, const std::string& target,
                      const EntryAttributes& attributes);
    // `existing` must be a file (or a link) that this archive made.
    void make_hard_link(std::string_view name, std::string_view existing);
    void make_whiteout(std::string_view name);
    void make_opaque(std::string_view directory);
    // Directories made since the last call only because a name needed them.
    std::uint64_t take_implied() noexcept { return std::exchange(implied_, 0); }

    // An empty file, open for writing; then its content; then close_file.
    base::UniqueFd open_file(std::string_view name);
    void close_file(base::UniqueFd file, std::uint64_t size, const EntryAttributes& attributes);

    // Times of directories, last because their content changes them.
    void finish();

  private:
    struct Place {
        int parent;
        std::string base;
    };
    Place place(std::string_view name);
    base::UniqueFd open_directory(std::string_view name);
    base::UniqueFd ensure_directory(std::string_view name);
    bool clear_the_way(const Place& place, std::string_view name);

    base::UniqueFd root_;
    LinkedParents links_;
    unsigned directory_mode_;
    std::uint64_t implied_ = 0;
    std::string parent_name_; // of parent_: entries of one directory follow each other
    base::UniqueFd parent_;
    std::vector<std::pair<std::string, std::int64_t>> times_;
};

} // namespace image
