// Archives from strangers onto disk, through libarchive with a policy of our own on top:
// only regular files, directories, symlinks, hard links to files of the same archive (and, for
// image layers, whiteouts); names relative, no "..", no control characters, parts <= 255 bytes;
// caps on bytes, entries, ratio and depth. What breaks a rule is refused by name.
#pragma once

#include "base/stop.h"
#include "image/digest.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

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

// One image layer (tar, optionally gzip or zstd; told by its bytes) into the empty directory
// `target`, for use as an overlayfs lower directory: whiteouts become char devices 0/0, opaque
// directories carry user.overlay.opaque=y (mount option userxattr); owners and modes are kept
// (setuid too: base images have such files; the sandbox has no-new-privileges), device nodes are
// skipped. Returns the diff id; the caller compares.
Digest unpack_layer(const ByteSource& source, const std::filesystem::path& target,
                    const UnpackLimits& limits, const base::Stop& stop);

// An uploaded source archive (tar, tar.gz, tar.zst, tar.xz, zip) into the empty directory
// `target`: modes become 0644/0755, owners ours; top-level .git dropped; one single root
// directory is stripped when strip_single_root.
enum class RootDirectory { keep, strip_single };
void unpack_source(const ByteSource& source, const std::filesystem::path& target,
                   const UnpackLimits& limits, RootDirectory root, const base::Stop& stop);

} // namespace image
