// Bills of materials on their way: from <layers>/<buildpack>/<layer>.sbom.<format>.json to
// bills/{launch,build,cache}/<buildpack>/[<layer>/]sbom.<format>.json, which is how they lie in an
// image, and back before the next build (buildpack.md, "Software-Bill-of-Materials"; platform.md,
// "exporter" and "restorer").
#pragma once

#include "buildpacks/buildpack.h"
#include "workspace.h"

#include "image/blob_store.h"

#include <string>
#include <vector>

namespace builder {

// Copies what one buildpack wrote to workspace.bills.
void collect_bills(const buildpacks::Info& info, const buildpacks::Built& built,
                   const Workspace& workspace);

// launch/sbom.legacy.json: the old [[bom]] of every buildpack, null without any, as the reference
// lifecycle writes it.
struct LegacyBill {
    std::string id;
    std::string version;
    std::string entries_json;
};
void write_legacy_bill(const std::vector<LegacyBill>& bills, const Workspace& workspace);

// An image's layer of bills, unpacked below `directory`, which it makes; answers where its "launch"
// is, nothing when it has none. Throws base::Error when it cannot be read.
std::filesystem::path fetch_bills(const image::Image& image, const std::string& diff_id,
                                  image::BlobStore& store, const std::filesystem::path& directory,
                                  const base::Stop& stop);

// Puts the bills of one layer back beside it. from: a directory "launch" or "cache".
void restore_bills(const std::filesystem::path& from, const buildpacks::Info& info,
                   const std::string& layer, const Workspace& workspace, BuildUser user);

} // namespace builder
