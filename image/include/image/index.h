// One name for an image on several machines (image-spec v1.1 image-index.md; Docker's manifest
// list is its twin). A value; no network, no files.
#pragma once

#include "image/blob_store.h"
#include "image/image.h"

#include <map>
#include <string>
#include <vector>

namespace image {

struct Platform {
    std::string os = "linux";
    std::string architecture; // as images name it: "amd64", "arm64"
    std::string variant = {}; // "v8", or none
    auto operator<=>(const Platform&) const = default;
};

class Index {
  public:
    struct Entry {
        Descriptor manifest;
        Platform platform;
        std::map<std::string, std::string> annotations = {};
    };

    Index() = default;
    // Of either media family. Entries whose platform is unknown (attestations) are kept; what the
    // specification does not name is not. Throws Error{invalid_input}.
    static Index parse(const RawManifest& raw);

    const std::vector<Entry>& entries() const noexcept { return entries_; }

    // With this manifest for its platform, in the place of the one that was there. Entries for the
    // platform unknown/unknown stand beside each other.
    Index with(Entry entry) const;

    // Canonical bytes: entries in the order of their platforms. OCI's index for OCI's manifests,
    // Docker's list for Docker's; throws Error{invalid_input} when there are both, or none.
    RawManifest render() const;

  private:
    std::vector<Entry> entries_;
};

// What an image is for, by its configuration. Throws Error{invalid_input} when that does not say.
Platform read_platform(BlobStore& store, const RawManifest& image, const base::Stop& stop);

} // namespace image
