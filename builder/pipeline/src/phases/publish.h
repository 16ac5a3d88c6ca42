// Phase 6: what the target lacks is sent, in parallel; then the manifest by digest, then the tag.
// The digest that comes back is the hash of the bytes that we sent, confirmed by the target.
#pragma once

#include "phases/export.h"

namespace builder {

// Where the base image's layers can be had when the target lacks them.
struct BaseSource {
    const image::Reference& reference;
    image::BlobStore& store;
};

struct PublishInput {
    const Target& target;
    const Exported& exported;
    BaseSource base;
    const std::filesystem::path& blobs; // a directory for what has to be copied
    const registry::Settings& settings;
};

struct PublishedImage {
    std::string reference; // with digest
    std::size_t blobs = 0; // of the image
    std::size_t sent = 0;  // of these; the others were there or came by a mount
    std::uint64_t sent_bytes = 0;
};

std::unique_ptr<image::BlobStore> open_target(const Target& target,
                                              const registry::Settings& settings);

PublishedImage publish(const PublishInput& input, const base::Stop& stop);

} // namespace builder
