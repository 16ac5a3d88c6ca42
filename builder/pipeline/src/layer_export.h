// Layers on their way into the target: each is looked up by what it was made from, and made,
// straight into the store, only when it is not there. Several at a time, in the order of the plan.
#pragma once

#include "layer_index.h"

#include "image/blob_store.h"
#include "image/layer_writer.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace builder {

struct LayerPlan {
    image::LayerFormat format;
    image::LayerContent content;     // on any thread, as often as it is asked for
    std::optional<LayerKey> key;     // of a tree; none: content that is in memory already
    std::uint64_t size = 0;          // about, of the tar: the largest is begun first
    std::optional<image::Layer> old; // a layer of the previous image instead of all that
};

struct LayerTarget {
    image::BlobStore& store;
    const image::Image* previous; // of the same repository, just read; null: none to rely on
    LayerIndex& index;
    bool sparse = false; // what `previous` has need not be in the store
};

struct SentBlobs {
    std::size_t blobs = 0;
    std::uint64_t bytes = 0;
};

// previous: of the previous image, without its content. unchanged: no file of it was touched since
// it was made. same_content: its files were read, and are those of a layer that is known.
enum class LayerOrigin { previous, unchanged, same_content, made };

struct ExportedLayers {
    std::vector<image::Layer> layers; // in the order of the plan; the store has them all
    std::vector<LayerOrigin> origins; // of each
    SentBlobs sent;
};

// Throws what the content or the stop throw, and TargetError (target.h) for what the store throws;
// what was sent by then may stay.
ExportedLayers export_layers(const std::vector<LayerPlan>& plan, const LayerTarget& target,
                             const base::Stop& stop);

} // namespace builder
