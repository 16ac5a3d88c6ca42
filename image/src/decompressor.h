// A compressed byte stream pulled as its content. The kind is told by the first bytes: gzip (ISA-L,
// several members), zstd (window up to 128 MiB, several frames), anything else unchanged.
// One thread owns a Decompressor. Truncated or damaged input throws Error{invalid_input}.
#pragma once

#include "image/unpack.h"

#include <memory>

namespace image {

class Decompressor {
  public:
    virtual ~Decompressor() = default;
    // 0 at the end.
    virtual std::size_t read(char* buffer, std::size_t size) = 0;
};

std::unique_ptr<Decompressor> open_decompressor(ByteSource source);

} // namespace image
