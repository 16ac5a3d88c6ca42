// Creates files below one directory for names that strangers chose. Each name is resolved by the
// kernel inside that directory (openat2, RESOLVE_IN_ROOT): an absolute link or a chain of ".."
// ends at its root, and no other. One thread owns a TreeWriter.
//
// A tree that will lie on others as an overlay gets from them what its own entries take for
// granted, as overlayfs copies up: directories and links on the way to an entry, and files to link
// to (copy_up.cpp).
#pragma once

#include "image/unpack.h"

#include "base/fd.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
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

struct FoundBelow;

// Thrown when the layers below decide what must be written, and are not known.
struct NeedsBelow {};

class TreeWriter {
  public:
    // directories: the mode of those that are made because a name needs them. below: borrowed;
    // null: not known.
    TreeWriter(const std::filesystem::path& root, LinkedParents links, unsigned directories,
               const LayersBelow* below);

    void make_directory(std::string_view name, const EntryAttributes& attributes);
    void make_symlink(std::string_view name, const std::string& target,
                      const EntryAttributes& attributes);
    // `existing` must be a file (or a link) that this archive made, or that is below.
    void make_hard_link(std::string_view name, std::string_view existing);
    void make_whiteout(std::string_view name);
    void make_opaque(std::string_view directory);
    // Directories made since the last call only because a name needed them.
    std::uint64_t take_implied() noexcept { return std::exchange(implied_, 0); }
    // Bytes of files that were copied up since the last call.
    std::uint64_t take_copied() noexcept { return std::exchange(copied_, 0); }
    // Nothing depended on what is below.
    bool stands_alone() const noexcept { return stands_alone_; }

    // An empty file, open for writing; then its content; then close_file.
    base::UniqueFd open_file(std::string_view name);
    void close_file(base::UniqueFd file, std::uint64_t size, const EntryAttributes& attributes);

    // What can only be right at the end: whiteouts behind opaque directories, which overlayfs would
    // show as broken names, go; directories get their times.
    void finish();

  private:
    struct Place {
        int parent;
        std::string base;
    };
    // A directory and its name without links on the way.
    struct Way {
        base::UniqueFd directory;
        std::string name;
    };
    enum class Part { named, of_link }; // who wants a directory: an entry's name or a link's target

    Place place(std::string_view name);
    base::UniqueFd open_directory(std::string_view name);
    base::UniqueFd ensure_directory(std::string_view name);
    bool clear_the_way(const Place& place, std::string_view name);

    Way make_way(std::string_view name);
    void make_parent(const Way& way, const std::string& base, std::string_view name, Part part);
    std::optional<FoundBelow> look_below(std::string_view name);
    base::UniqueFd copy_up_file(std::string_view name, std::string_view asked);
    void forget_copies(const std::string& name);
    void forget_copies_in(const std::string& directory);
    void remove_copy(const std::string& name);
    bool is_in_opaque(std::string_view name);
    void drop_hidden_whiteouts();

    base::UniqueFd root_;
    const LinkedParents links_;
    const unsigned directory_mode_;
    const LayersBelow* below_;
    std::uint64_t implied_ = 0, copied_ = 0;
    bool stands_alone_ = true;
    // What is here only because it is below, or a name needs it: by names without links.
    std::set<std::string> copies_;
    std::vector<std::string> whiteouts_;
    bool has_opaque_ = false;
    std::string parent_name_; // of parent_: entries of one directory follow each other
    base::UniqueFd parent_;
    std::vector<std::pair<std::string, std::int64_t>> times_;
};

} // namespace image
