// The manifests under cosign's tags, read back.
#pragma once

#include "proof/attach.h"

#include "image/referrers.h"

#include <optional>

namespace proof {

struct Tagged {
    image::RawManifest raw;
    image::Artifact artifact;
};

// Under its tag, else the referrer of that type; empty: there is none.
std::optional<Tagged> find_tagged(image::BlobStore& store, const image::Digest& image,
                                  const std::string& tag, std::string_view artifact_type,
                                  const base::Stop& stop);

// Throws Error{limit_exceeded} for one of more than 64 MiB.
std::string read_whole(image::BlobStore& store, const image::Descriptor& blob,
                       const base::Stop& stop);

// What a signature's annotation holds; empty when it has none that is base64.
std::string signature_of(const image::ArtifactBlob& blob);

} // namespace proof
