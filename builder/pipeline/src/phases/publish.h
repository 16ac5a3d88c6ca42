// Phase 6: the layers are in the target already; what else it lacks follows (layers of the run
// image, the configuration), then the manifest by digest, then the tag.
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
    image::BlobStore& store; // of the target
    BaseSource base;
};

struct PublishedImage {
    std::string reference; // with digest
    std::size_t blobs = 0; // of the image
    std::size_t sent = 0;  // of these; the others were there or came by a mount
    std::uint64_t sent_bytes = 0;
};

PublishedImage publish(const PublishInput& input, const base::Stop& stop);

} // namespace builder
