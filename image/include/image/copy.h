// An image from one store into another, byte for byte: the digest is the same at both ends. What is
// there already is not moved; within one registry blobs are mounted. Reads and writes through the
// two stores alone; blobs in a few threads of its own, which end with the call.
#pragma once

#include "image/blob_store.h"

#include "base/stop.h"

#include <cstdint>
#include <optional>
#include <string>

namespace image {

struct CopyOptions {
    std::optional<std::string> tag = {}; // at the destination; empty: by digest alone
    // Repository of the same registry that the image comes from; empty: it comes from elsewhere.
    std::string mount_from = {};
    // With the artifacts whose subject the image, or one of its index, is, and theirs; with what
    // cosign's tags name (sha256-<hex>.sig, .att, .sbom).
    bool referrers = false;
};

struct CopyReport {
    std::size_t manifests = 0;                    // of the image and of what goes along
    std::size_t there = 0, mounted = 0, sent = 0; // blobs
    std::uint64_t bytes_sent = 0;
    CopyReport& operator+=(const CopyReport& other);
};

// `image` is a manifest or an index of `from`; of an index all architectures go along. The tag is
// written last: it never names what is not there. Throws Error{not_found} when `from` lacks a part,
// Error{invalid_input} when it hands out other bytes, and what the stores throw.
CopyReport copy(BlobStore& from, const RawManifest& image, BlobStore& to,
                const CopyOptions& options, const base::Stop& stop);

} // namespace image
