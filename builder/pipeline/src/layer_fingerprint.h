// What a cached layer's directory looks like: a hash over every name in it with its kind, mode,
// size, modification time and, for links, target. It is taken when a layer goes into the cache and
// again when it comes out. It catches whatever came through the file system since then: files that
// are missing, added, cut short, written into or replaced. It reads no content, so that a
// restore costs a walk and not a read; bits that a disk turned by itself are the disk's to tell.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace builder {

struct LayerFingerprint {
    std::string hash;        // "sha256:..."; empty: the tree could not be read
    std::uint64_t bytes = 0; // of its regular files
};

// Never follows a link.
LayerFingerprint fingerprint_of(const std::filesystem::path& layer);

} // namespace builder
