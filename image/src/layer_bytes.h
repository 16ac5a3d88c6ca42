// A layer as it is stored, read as its tar. One thread owns it.
#pragma once

#include "decompressor.h"
#include "image/unpack.h"

#include "base/error.h"
#include "base/text.h"

#include <memory>

namespace image {

// The layer's tar: decompressed, and kept from growing without end.
class LayerBytes {
  public:
    LayerBytes(const ByteSource& source, const UnpackLimits& limits)
        : limits_(limits), input_(open_decompressor([this, &source](char* buffer, std::size_t n) {
              const auto got = source(buffer, n);
              in_ += got;
              return got;
          })) {}

    std::size_t read(char* buffer, std::size_t size) {
        const auto n = input_->read(buffer, size);
        out_ += n;
        // Headers and padding come on top of the content.
        if (out_ / 2 > limits_.bytes || (out_ > ratio_checked_from && out_ / limits_.ratio > in_))
            throw base::Error(base::ErrorKind::limit_exceeded,
                              "the layer is refused: it grows from " + base::human_bytes(in_) +
                                  " to more than " + base::human_bytes(out_));
        return n;
    }

  private:
    static constexpr std::uint64_t ratio_checked_from = 64u << 20;

    const UnpackLimits limits_;
    std::uint64_t in_ = 0, out_ = 0;
    std::unique_ptr<Decompressor> input_; // last: it reads at once
};

} // namespace image
