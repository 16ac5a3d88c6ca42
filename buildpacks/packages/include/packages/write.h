// Buildpackages and builders as images (distribution specification 0.3; pack's labels for
// builders). Equal contents give equal digests on every machine: layers sorted by the buildpack's
// id and version, owner root, modes 0755 and 0644, the time of the platform specification.
#pragma once

#include "packages/configuration.h"
#include "packages/contents.h"

#include "base/stop.h"
#include "image/blob_store.h"

#include <filesystem>
#include <string>
#include <vector>

namespace packages {

struct WrittenImage {
    image::Image image;
    std::vector<image::BlobFile> blobs; // those that the base does not have, and the configuration
};

// One layer for each buildpack. `main`: the one that people name. `scratch`: a directory for the
// blobs, which must outlive them. Throws Error{invalid_input} when the buildpacks have no stack in
// common, Error{not_found} when a composite is not whole.
WrittenImage write_buildpackage(const Contents& contents, const buildpacks::OrderElement& main,
                                const std::string& architecture,
                                const std::filesystem::path& scratch);

// The build image with the buildpacks and the files of a builder on top. `version`: ours, for the
// label. Throws Error{invalid_input | not_found} naming the line of builder.toml or the image.
WrittenImage write_builder(const BuilderToml& toml, const Contents& contents,
                           const image::Image& build_image, const std::string& version,
                           const std::filesystem::path& scratch);

// Where the layers are that WrittenImage::blobs does not have.
struct BaseImage {
    image::BlobStore* store = nullptr; // borrowed
    std::string repository;            // in the target's registry; empty: in another one
};
// `tag`: what the target calls it; empty: by digest alone. Answers the manifest's digest.
image::Digest store_image(const WrittenImage& written, const BaseImage& base,
                          image::BlobStore& target, const std::string& tag, const base::Stop& stop);

// A .cnb file: an OCI layout in an uncompressed tar. Complete as soon as it has its name.
image::Digest write_cnb_file(const WrittenImage& written, const std::filesystem::path& file,
                             const std::filesystem::path& scratch, const base::Stop& stop);

} // namespace packages
