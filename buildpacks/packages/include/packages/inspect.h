// What a buildpackage or a builder says of itself, from its labels: a stranger's text, checked for
// shape and not for truth. Answers JSON, the same that --json prints:
//   id version name homepage stacks[]                        of a buildpackage
//   description stack created_by run_images[] environment    of a builder
//   lifecycle{version launcher_versions apis}
//   buildpacks[{id version api name homepage targets[] stacks[]}]
//   order[{group[{id version optional order[...]}]}]         composites hold their own order
//   system{pre[] post[]}                                     of a builder
#pragma once

#include "packages/contents.h"

#include "base/stop.h"
#include "image/image.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace packages {

// Throws Error{invalid_input} when the image is none.
nlohmann::json describe_buildpackage(const image::Image& image);
nlohmann::json describe_builder(const image::Image& image);
// As a buildpackage of these would be described.
nlohmann::json describe_contents(const Contents& contents, const buildpacks::OrderElement& main);

// The run images that a builder names, the first with its mirrors first; empty: none.
std::vector<std::string> run_images_of(const image::Image& builder);

struct CnbFile {
    image::Image image;
    image::Digest digest;
};
// `scratch`: an empty directory. Needs root as far as the file's entries have owners.
CnbFile read_cnb_file(const std::filesystem::path& file, const std::filesystem::path& scratch,
                      const std::string& architecture, const base::Stop& stop);

} // namespace packages
