// What lies in a directory tree, as lstat tells it: names, modes, links, identities; no content is
// read. The tree may be a stranger's: no link is ever followed (openat2, RESOLVE_BENEATH). One walk
// by several threads; about 100 bytes of memory an entry. A value afterwards: any thread reads it.
#pragma once

#include "base/stop.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace image {

// The reference lifecycle has two orders. depth_first: each directory's names sorted, a directory's
// content right behind it ("a", "a/x", "a-b"): buildpack layers. by_path: whole names as bytes
// ("a", "a-b", "a/x"): the application's slices.
enum class EntryOrder { depth_first, by_path };

class TreeListing {
  public:
    struct Entry {
        std::string name; // its own, without those of the directories above it
        mode_t mode = 0;  // with the kind
        bool has_other_names = false;
        std::uint32_t detail = 0; // a directory's content, a link's target
        std::uint64_t size = 0;
        std::uint64_t device = 0, inode = 0;
        std::int64_t modified = 0, changed = 0; // mtime and ctime, nanoseconds
    };
    // Says whether a relative path stays; a directory that does not leaves with all below it.
    // Called by several threads at a time. An empty one keeps everything.
    using Keep = std::function<bool(std::string_view relative)>;

    // Throws Error{invalid_input} naming a device, a socket, a fifo, or a tree deeper than 256
    // directories; Error{not_found | denied | ...} for what cannot be read. `root` is no link.
    static TreeListing read(const std::filesystem::path& root, EntryOrder order,
                            const Keep& keep = {}, const base::Stop& stop = {});

    const std::filesystem::path& root() const noexcept { return root_; }
    EntryOrder order() const noexcept { return order_; }
    // The time of the file systems' clock when the walk began, nanoseconds: what was changed well
    // before it had its content already.
    std::int64_t began() const noexcept { return began_; }

    // Entries by their place in the order; the first is the root itself.
    std::size_t size() const noexcept { return order_of_.size(); }
    const Entry& entry(std::size_t place) const;
    std::string path(std::size_t place) const;        // relative; empty: the root itself
    std::string_view target(std::size_t place) const; // of a symbolic link
    std::size_t parent(std::size_t place) const;      // the root's is itself

  private:
    struct Directory {
        std::string path;
        std::uint32_t place = 0; // of its own entry
        std::uint32_t depth = 0;
        std::vector<Entry> entries;
        std::vector<std::string> targets;
    };
    struct Place {
        std::uint32_t directory, entry;
    };
    class Walk;

    void put_in_order(std::uint32_t directory);

    std::filesystem::path root_;
    EntryOrder order_ = EntryOrder::depth_first;
    std::int64_t began_ = 0;
    std::deque<Directory> directories_; // the first holds the root's entry alone
    std::vector<Place> order_of_;
};

// Places of a listing's entries, rising: what of a tree becomes one layer.
using Selection = std::vector<std::uint32_t>;
Selection select_all(const TreeListing& listing);

} // namespace image
