// An OCI image layout on disk (image-spec image-layout.md) as a BlobStore. Writes are atomic and
// verified; index.json carries tags as org.opencontainers.image.ref.name. A blob is there when its
// bytes are those of its digest: find_missing reads each once as long as its file does not change.
#pragma once

#include "image/blob_store.h"

#include <memory>

namespace image {

// Makes the directory and its oci-layout file when missing.
std::unique_ptr<BlobStore> open_oci_layout(const std::filesystem::path& directory);

// Which image a person means who names none: the one with the tag "latest", else the only one that
// is listed. Throws Error{not_found} that tells the tags.
Digest default_image(const std::filesystem::path& directory);

} // namespace image
