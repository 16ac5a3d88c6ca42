// Phase 3: what earlier builds left for the chosen buildpacks: metadata of the previous image's
// launch layers, contents from the app's cache, store.toml (platform.md, "Restore"; the table in
// buildpack.md, "Layer Types").
#pragma once

#include "layer_cache.h"
#include "phases/detect.h"

namespace builder {

struct Restored {
    std::vector<std::string> layers; // "slipway/nodejs:node", content included
};

// previous: of the app's image before this one; null for the first build.
Restored restore(const Group& group, const LifecycleMetadata* previous, LayerCache& cache,
                 const Workspace& workspace, BuildUser user);

} // namespace builder
