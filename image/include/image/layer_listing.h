// What a layer says, entry by entry: for comparing two of them. Nothing is unpacked; whiteouts are
// entries like any other.
#pragma once

#include "image/unpack.h"

#include "base/stop.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace image {

struct LayerEntry {
    enum class Type { file, directory, symlink, hard_link, other } type = Type::other;
    std::string path;   // clean and relative; empty for the root
    std::string target; // of links
    unsigned mode = 0;  // 07777 at most
    std::int64_t uid = 0, gid = 0;
    std::int64_t mtime = 0; // seconds since 1970
    std::uint64_t size = 0;
    std::optional<Digest> content = {}; // of a file
};

struct LayerListing {
    std::vector<LayerEntry> entries; // in the layer's order
    Digest diff_id;                  // of what was read; the caller compares
};

// source: the layer's tar, gzip or zstd around it told by its bytes. Throws Error{invalid_input |
// limit_exceeded} for what no image should hold.
LayerListing list_layer(const ByteSource& source, const UnpackLimits& limits,
                        const base::Stop& stop);

} // namespace image
