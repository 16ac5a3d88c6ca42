// Archives from strangers onto disk, through libarchive with a policy of our own on top:
// only regular files, directories, symlinks, hard links to files of the same archive (for image
// layers also to those of layers below, and whiteouts); names relative, no "..", no control
// characters, parts <= 255 bytes; caps on bytes, entries, ratio and depth. What breaks a rule is
// refused by name.
#pragma once

#include "base/stop.h"
#include "image/blob_store.h"
#include "image/digest.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace image {

struct UnpackLimits {
    std::uint64_t bytes = 20ull << 30;
    std::uint64_t entries = 2'000'000;
    std::uint64_t ratio = 1000; // uncompressed to compressed, checked after the first 64 MiB
    std::uint64_t depth = 128;  // directories in one another
    // What whoever may change the limits calls them, for hints; literals or longer-lived.
    struct Names {
        std::string_view bytes, entries, ratio, depth;
    } names = {};
};

// Pulls bytes: returns how many were put into `buffer`, 0 at the end.
using ByteSource = std::function<std::size_t(char* buffer, std::size_t size)>;

// The unpacked layers under a layer, topmost first.
using LayersBelow = std::vector<std::filesystem::path>;

struct UnpackedLayer {
    Digest diff_id; // the caller compares
    // The tree is the same whatever lies below. Else it holds what only a layer below has: a
    // directory that entries are in without naming it, with its owner, mode and time; a link on
    // the way to an entry; the file of a hard link.
    bool stands_alone = true;
};

// One image layer (tar, optionally gzip or zstd; told by its bytes) into the empty directory
// `target`, for use as an overlayfs lower directory: whiteouts become char devices 0/0, opaque
// directories carry user.overlay.opaque=y (mount option userxattr); owners, modes and times are
// kept (setuid too: base images have such files; the sandbox has no-new-privileges), device nodes
// and extended attributes are left out. `produce` makes the bytes as they are stored, once, on the
// calling thread; three others decompress them, hash them and write the tree, with 4 MB in their
// hands.
//
// below: empty while nobody has looked. Then the answer is empty when the layer does not stand
// alone: `target` is to be thrown away and the layer unpacked anew with what lies below.
std::optional<UnpackedLayer> unpack_layer(const ByteProducer& produce,
                                          const std::filesystem::path& target,
                                          const std::optional<LayersBelow>& below,
                                          const UnpackLimits& limits, const base::Stop& stop);

// What is left of a file. It is borrowed.
ByteProducer bytes_of_file(int file);

// An uploaded source archive (tar, tar.gz, tar.zst, tar.xz, zip) into the empty directory
// `target`: modes become 0644/0755, owners ours; top-level .git dropped; one single root
// directory is stripped when strip_single_root.
enum class RootDirectory { keep, strip_single };
void unpack_source(const ByteSource& source, const std::filesystem::path& target,
                   const UnpackLimits& limits, RootDirectory root, const base::Stop& stop);

} // namespace image
