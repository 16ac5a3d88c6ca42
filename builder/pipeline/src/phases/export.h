// Phase 5: what was built becomes an image on top of the run image, in the layer order, with the
// labels, times and owners of the platform specification (platform.md, "Export"). Its layers are
// made straight into the target; those that did not change are not made at all.
#pragma once

#include "layer_cache.h"
#include "layer_export.h"
#include "phases/build.h"
#include "registry/image_store.h"

#include "image/blob_store.h"
#include "proof/provenance.h"

namespace builder {

struct PreviousImage {
    image::Image image;
    LifecycleMetadata metadata;
};

struct ExportInput {
    const Workspace& workspace;
    BuildUser user;
    const registry::PinnedImage& run_image;
    std::string run_image_name; // as the label names it, without registry or digest
    const std::vector<BuiltMember>& built;
    const PreviousImage* previous;  // null for the first build
    std::filesystem::path launcher; // slipway-launch
    image::BlobStore& target;
    LayerIndex& index;          // told of the layers; not committed
    bool trust_previous = true; // its layers are in the target without asking for each
    bool sparse = false;        // what the previous image has need not be in the target
    image::Compression compression = image::Compression::gzip;
    std::string project_metadata_json = "{}"; // io.buildpacks.project.metadata
};

struct Exported {
    image::Image image;
    std::set<image::Digest> stored;       // layers that the target has
    SentBlobs sent;                       // of these, what it did not have before
    std::vector<BuildpackRecord> records; // with diff ids, for the cache
    std::vector<NamedProcess> processes;
    std::string bills_diff_id;                // of its layer of bills of materials
    std::vector<proof::Resource> layers = {}; // those of ours, with their reasons
};

Exported export_image(const ExportInput& input, Reporter& report, const base::Stop& stop);

} // namespace builder
