// The way out when the registry is away at the end of a build: what was built is kept as an image
// that can be sent later (builder/kept.h).
#pragma once

#include "phases/export.h"

#include "builder/target.h"

#include <functional>
#include <optional>

namespace builder {

struct KeepInput {
    const Job& job;
    // As it was for the registry; its `target` and `index` are not used.
    const ExportInput& exporting;
    const std::optional<Exported>& exported; // set: the registry has its layers, but not the image
    std::string key;                         // Published::inputs
    // The JSON of the record of materials, with the bills put into the store.
    std::function<std::string(const Exported&, image::BlobStore&)> materials;
};

// Whether that is why the image was not published.
bool is_worth_keeping(const Job& job, const TargetError& error);

// Says in the log what it does. Throws when it cannot be kept; then nothing is.
Exported keep_image(const KeepInput& input, Reporter& report, const base::Stop& stop);

} // namespace builder
