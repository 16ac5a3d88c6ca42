// What this build was made from and what is in its image, for whoever signs for it.
#pragma once

#include "phases/build.h"
#include "phases/fetch.h"

#include "builder/materials.h"
#include "image/blob_store.h"
#include "image/reference.h"
#include "proof/bills.h"

#include <filesystem>
#include <vector>

namespace builder {

struct MaterialsInput {
    const Job& job; // with the environment that buildpacks saw
    const Fetched& fetched;
    const image::Reference& run_image; // after image extensions
    const std::vector<BuiltMember>& built;
    const std::vector<proof::Bill>& bills;
    const image::Digest image;
    const std::vector<proof::Resource>& layers;
    image::BlobStore& target; // of the job
};

// The JSON of the record. Puts the merged bills of materials into the job's target; tells the
// report what it had to leave out.
std::string gather_materials(const MaterialsInput& input, Reporter& report, const base::Stop& stop);

// The bills below a directory {<buildpack>/[<layer>/]sbom.<format>.json}.
std::vector<proof::Bill> read_bills(const std::filesystem::path& directory);

// A buildpack by what pins it: a commit, an image's or an archive's digest; else the hash of its
// directory as a layer's tar ("what the same files give anywhere").
proof::Resource describe_buildpack(const buildpacks::Buildpack& buildpack);

} // namespace builder
