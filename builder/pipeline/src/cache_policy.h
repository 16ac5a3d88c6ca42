// Which layers an app's cache keeps after a build.
#pragma once

#include "layer_cache.h"
#include "phases/build.h"

namespace builder {

// Every layer with cache=true, and the bills of materials. records: of the image that was exported,
// with diff ids; bills_diff_id: of its layer of bills.
void keep_after_success(LayerCache& cache, const std::vector<BuildpackRecord>& records,
                        const std::string& bills_diff_id, const Workspace& workspace);

// After a failed build: of buildpacks that did not run, what was restored; of those that finished,
// what still is what its metadata says; of the one that failed, pure download caches alone (package
// managers survive an interruption there), so that the next push need not download all again.
void keep_after_failure(LayerCache& cache, const Group& group,
                        const std::vector<BuiltMember>& finished, const Workspace& workspace);

} // namespace builder
