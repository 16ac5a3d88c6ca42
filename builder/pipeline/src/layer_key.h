// What tells two builds' layers apart without reading their files. Values only, any thread.
#pragma once

#include "image/digest.h"
#include "image/layer_writer.h"

#include <string>

namespace builder {

// A part of a listed tree that becomes a layer.
struct TreeLayer {
    const image::TreeListing& listing;
    image::Selection selection;
    std::string name; // where it lies in the image, "layers/some_pack/deps"
    image::Owner owner;
};

struct LayerKey {
    // Of names, kinds, modes, owners, sizes, links, their order, and what the layer is compressed
    // with: layers with other shapes cannot be equal.
    image::Digest shape;
    // With each file's device, inode and times: trees with one identity have the same content, as
    // long as it was settled when it was taken.
    image::Digest identity;
    // No file was changed so shortly before the walk that another change in the same tick of the
    // file system's clock would go unnoticed (git's "racily clean").
    bool settled = false;
};

LayerKey key_of(const TreeLayer& layer, const image::LayerFormat& format);

} // namespace builder
