// Where images go and come from: a registry's repository or an OCI layout on disk.
// One body of tests (tests/contract) holds for each implementation. Thread-safe.
#pragma once

#include "image/image.h"

#include "base/stop.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image {

// Bytes of a blob that lie in a file of ours.
struct BlobFile {
    Descriptor descriptor;
    std::filesystem::path path;
};

using ByteSink = std::function<void(std::string_view bytes)>;

// Makes a blob's bytes, from the first to the last, on the calling thread. Each call hands out the
// same bytes: a store calls it again when a transfer was lost, so that nothing has to be kept.
using ByteProducer = std::function<void(const ByteSink& sink)>;

struct StreamedBlob {
    Digest digest; // of what was produced, confirmed by the store
    std::uint64_t size = 0;
    bool was_there = false; // nothing had to be sent
};

// A manifest that names another as its subject (image-spec manifest.md).
struct Referrer {
    Descriptor descriptor;
    std::string artifact_type;
    std::map<std::string, std::string> annotations;
};

class BlobStore {
  public:
    virtual ~BlobStore() = default;

    // Which of these the store does not have yet.
    virtual std::vector<Digest> find_missing(const std::vector<Descriptor>& blobs,
                                             const base::Stop& stop) = 0;
    // Streams a blob, verified: throws when digest or size differ (what was handed out before must
    // then be thrown away).
    virtual void read_blob(const Descriptor& blob, const ByteSink& sink,
                           const base::Stop& stop) = 0;
    virtual void write_blob(const BlobFile& blob, const base::Stop& stop) = 0;
    // A blob whose digest is known only when its last byte is: hashed and counted on the way,
    // never on our disk. What `produce` throws comes out as it is, and leaves nothing behind.
    virtual StreamedBlob stream_blob(const ByteProducer& produce, const base::Stop& stop) = 0;
    // Copies a blob from another repository of the same store without moving bytes; false when
    // that cannot be done and the blob must be written.
    virtual bool mount_blob(const Descriptor& blob, std::string_view from_repository,
                            const base::Stop& stop) = 0;
    // tag_or_digest: as in the distribution specification. Empty when there is none.
    virtual std::optional<RawManifest> read_manifest(std::string_view tag_or_digest,
                                                     const base::Stop& stop) = 0;
    // By digest, and under `tag` when given. Returns when the store has confirmed the digest. One
    // with a subject is found by list_referrers from then on.
    virtual void write_manifest(const RawManifest& manifest, std::optional<std::string> tag,
                                const base::Stop& stop) = 0;
    // With every tag that names it; false when there was none. Blobs stay until the store is swept.
    // Throws Error{denied} when the store takes no deletes.
    virtual bool remove_manifest(const Digest& digest, const base::Stop& stop) = 0;
    virtual std::vector<std::string> list_tags(const base::Stop& stop) = 0; // sorted
    // Manifests with this subject: of one artifact type, or of any when it is empty.
    virtual std::vector<Referrer> list_referrers(const Digest& subject,
                                                 std::string_view artifact_type,
                                                 const base::Stop& stop) = 0;
};

// Reads manifest (through an index when there is one, for linux/<architecture>) and configuration.
// Throws Error{not_found} naming `name` when there is no such image.
Image read_image(BlobStore& store, std::string_view tag_or_digest, std::string_view architecture,
                 std::string_view name, const base::Stop& stop);

} // namespace image
