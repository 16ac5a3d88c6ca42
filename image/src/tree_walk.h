// A walk over a directory tree that strangers wrote: openat and O_NOFOLLOW all the way, so that no
// link leads outside; bounded depth. The caller's thread.
#pragma once

#include "image/layer_writer.h"

#include <string>
#include <sys/stat.h>

namespace image {

struct TreeEntry {
    std::string_view relative; // empty: the root itself
    struct stat status;
    int fd = -1;      // of a regular file, open for reading
    std::string link; // target of a symlink
};

// Directories come before what they hold. Throws Error{invalid_input} naming a device, a socket, a
// fifo, or a tree deeper than 256.
void walk_tree(const std::filesystem::path& root, EntryOrder order,
               const std::function<bool(std::string_view relative)>& keep,
               const std::function<void(const TreeEntry&)>& visit);

} // namespace image
