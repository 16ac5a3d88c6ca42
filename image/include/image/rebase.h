// An image on another base image. Pure.
#pragma once

#include "image/image.h"

namespace image {

// The base's layers, with their history, in the place of the lowest `below` of the image's own, and
// the platform that the base is for (architecture, variant, os.version, os.features). The rest of
// the configuration stays the image's.
Image on_base(const Image& image, std::size_t below, const Image& base);

} // namespace image
