// An image on another base image. Pure.
#pragma once

#include "image/image.h"

#include <string>

namespace image {

// "v8"; empty: the configuration names none.
std::string variant_of(const Image& image);

// The base's layers, with their history, in the place of the lowest `below` of the image's own, and
// the platform that the base is for (architecture, variant, os.version, os.features). The rest of
// the configuration stays the image's.
Image on_base(const Image& image, std::size_t below, const Image& base);

} // namespace image
