// The bytes of a tar entry's header. Values only, any thread.
//
// The format is the one that the reference lifecycle's layers have (Go's archive/tar with no
// format asked for), because equal trees should have equal diff ids whoever exported them:
//  - names are absolute ("/layers/..."), directories without a slash at their end;
//  - USTAR whenever it can say everything: ASCII, name <= 100 bytes or split at a slash into
//    prefix (<= 155) and name (<= 100), link target <= 100, size < 8 GiB, ids < 2097152;
//  - else one pax header ("x") before the entry with the records that did not fit, sorted by
//    key, its own name being dir/PaxHeaders.0/file cut at 100 bytes, mode, ids and time zero;
//    the entry's own name then is what is ASCII of it, cut at 100 bytes;
//  - device numbers are written as zeros, user and group names are empty;
//  - the archive ends with two zero blocks and no further padding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace image {

struct TarEntry {
    char type = '0'; // 0 file, 1 hard link, 2 symlink, 5 directory
    std::string_view name;
    std::string_view link;
    unsigned mode = 0;
    unsigned uid = 0;
    unsigned gid = 0;
    std::uint64_t size = 0; // of a file
};

inline constexpr std::size_t tar_block = 512;

// One block, or three and more when a pax header is needed.
std::string encode_tar_header(const TarEntry& entry);

inline std::size_t tar_padding(std::uint64_t size) {
    return (tar_block - size % tar_block) % tar_block;
}

} // namespace image
