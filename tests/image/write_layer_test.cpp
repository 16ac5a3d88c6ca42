#include "base/buffer.h"
#include "image/layer_writer.h"

#include <catch2/catch.hpp>

#include <random>
#include <string>

namespace {

// Text and noise of more than a block: what a compressor finds again lies near and far.
std::string content_of(unsigned seed) {
    std::minstd_rand random(seed);
    std::string bytes;
    while (bytes.size() < 3'000'000)
        if (random() % 3 == 0 || bytes.size() < 70'000)
            bytes += static_cast<char>(random() % 97);
        else
            bytes += bytes.substr(bytes.size() - 1 - random() % 60'000, 4 + random() % 200);
    return bytes;
}

std::string layer_of(image::Compression compression, const std::string& bytes) {
    std::string stored;
    image::write_layer(
        {.compression = compression},
        [&](image::LayerWriter& writer) { writer.add_file("f", 0644, {}, bytes); },
        [&](std::string_view part) { stored += part; });
    return stored;
}

TEST_CASE("a layer's bytes do not depend on what its buffers held before") {
    for (const auto compression : {image::Compression::gzip, image::Compression::zstd}) {
        const auto fresh = layer_of(compression, content_of(1));
        const base::KeepBuffers keep;
        for (unsigned other = 2; other < 6; ++other) {
            layer_of(compression, content_of(other));
            CHECK(layer_of(compression, content_of(1)) == fresh);
        }
    }
}

} // namespace
