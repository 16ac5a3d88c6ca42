// Bytes in, compressed bytes out. One thread owns a Compressor.
#pragma once

#include "image/layer_writer.h"

#include <functional>
#include <memory>
#include <string_view>

namespace image {

class Compressor {
  public:
    using Sink = std::function<void(std::string_view bytes)>;
    virtual ~Compressor() = default;
    // The bytes that come out depend on how the input is cut into calls: a caller that wants the
    // same output always cuts it the same way. last: ends the stream.
    virtual void feed(std::string_view bytes, bool last, const Sink& sink) = 0;
};

std::unique_ptr<Compressor> make_compressor(Compression compression);
std::string_view layer_media_type(Compression compression);

} // namespace image
