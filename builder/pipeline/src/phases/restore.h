// Phase 3: what earlier builds left for the chosen buildpacks: metadata of the previous image's
// launch layers, contents from the app's cache, bills of materials, store.toml (platform.md,
// "restorer"; the table in buildpack.md, "Layer Types").
#pragma once

#include "layer_cache.h"
#include "phases/detect.h"

namespace builder {

struct Restored {
    std::vector<std::string> layers; // "slipway/nodejs:node", content included
};

struct RestoreInput {
    const Group& group;
    const LifecycleMetadata* previous; // of the app's image before this one; null: the first
    std::filesystem::path image_bills; // its layer of bills, unpacked, "launch"; empty: none
    const Workspace& workspace;
    BuildUser user;
};

Restored restore(const RestoreInput& input, LayerCache& cache);

} // namespace builder
