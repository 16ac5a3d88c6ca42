// Whether an image can stand for what would be built: everything that decides about it, as one key,
// and the finished build that has the same one (docs/decisions/0015-the-same-inputs-build-once.md).
#pragma once

#include "pipeline/reporter.h"

#include "base/stop.h"
#include "builder/job.h"
#include "buildpacks/catalog.h"
#include "image/blob_store.h"
#include "image/reference.h"

#include <filesystem>
#include <optional>
#include <string>

namespace builder {

struct BuildInputs {
    const Job& job; // with the environment that buildpacks see
    const std::filesystem::path& app;
    const buildpacks::Catalog& catalog;  // with the order that was chosen
    bool chosen = false;                 // by name, not by detection
    const image::Reference& build_image; // with its digest
    const image::Reference& run_image;   // likewise
};

// 64 hex digits that tell nothing to who does not know the job's secret; empty without one. Reads
// all of the app's files. Throws Error{invalid_input} for an app that no image can hold.
std::string key_of(const BuildInputs& inputs, const base::Stop& stop);

// Gives the image of the newest finished build with this key the target's tag, when the target
// still has it; says in the log which build that is, or why it cannot be used. Empty: it has to be
// built. Throws Error{cancelled | timed_out} alone.
std::optional<Published> publish_finished(const Job& job, const std::string& key,
                                          image::BlobStore& store, Reporter& report,
                                          const base::Stop& stop);

} // namespace builder
