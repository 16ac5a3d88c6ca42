// Whether two images that should be one are: of a rebuild, where they first differ. Blocks on both
// stores; main's thread.
#pragma once

#include "image_files.h"
#include "image_reference.h"
#include "image_report.h"

#include <optional>
#include <string>
#include <vector>

namespace cli {

struct ImageComparison {
    bool same_digest = false;
    // Of the layers that differ, in the image's order: "app", "test/script: deps".
    std::vector<std::string> layers;
    std::string first_layer;             // the first of them whose files differ
    std::vector<FileChange> files;       // of that layer
    std::vector<SettingChange> settings; // of the configuration; labels of the platform come last
    std::vector<SettingChange> compressors; // of layers with equal content: what stored them

    bool same_content() const { return layers.empty() && settings.empty(); }
};

// Layers are read only when their diff ids differ, and no further than the first that does.
ImageComparison compare_images(const FoundImage& before, const FoundImage& after,
                               const base::Stop& stop);

} // namespace cli
