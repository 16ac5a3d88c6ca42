// Manifests beside an image: artifacts whose subject it is (image-spec v1.1 manifest.md,
// "Guidelines for Artifact Usage"; distribution-spec 1.1, "Listing Referrers"). Values; no network,
// no files.
#pragma once

#include "image/blob_store.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image {

namespace media_type {
inline constexpr std::string_view empty = "application/vnd.oci.empty.v1+json"; // the bytes "{}"
}

// One blob of an artifact.
struct ArtifactBlob {
    Descriptor descriptor;
    std::map<std::string, std::string> annotations = {};
};

struct Artifact {
    std::string type; // artifactType
    std::optional<Descriptor> subject;
    std::vector<ArtifactBlob> blobs;
    std::map<std::string, std::string> annotations = {};
};

// Canonical bytes. The configuration is the empty one, which the store must have, too.
RawManifest render_artifact(const Artifact& artifact);
// What any manifest names: the layers of an image are blobs, too. Throws Error{invalid_input}.
Artifact parse_artifact(const RawManifest& manifest);
Descriptor empty_descriptor();

// The subject of a manifest of any type; empty: it has none. Throws Error{invalid_input}.
std::optional<Descriptor> subject_of(const RawManifest& manifest);
// As an index lists it: its artifactType, or the type of its configuration when it says none.
Referrer referrer_of(const RawManifest& manifest);

// An index of referrers, and back. Entries that are not descriptors are refused.
std::vector<Referrer> parse_referrers(std::string_view index);
RawManifest render_referrers(const std::vector<Referrer>& referrers);

// "sha256-<hex>": where a registry without a list of referrers has one.
std::string referrers_tag(const Digest& subject);

} // namespace image
