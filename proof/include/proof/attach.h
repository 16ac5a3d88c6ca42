// What is known about an image, put beside it in its store:
//   tag sha256-<hex>.sig   cosign's signature of the image
//   tag sha256-<hex>.att   one DSSE envelope for each predicate, as cosign's attestations
//   no tag                 documents as they are: bills of materials, the build's log
// Each of these manifests names the image as its subject, so that it is one of its referrers, too.
// Blocks on the store; any thread.
#pragma once

#include "base/key_pair.h"
#include "base/stop.h"
#include "image/blob_store.h"

#include <string>
#include <string_view>
#include <vector>

namespace proof {

namespace media_type {
inline constexpr std::string_view simple_signing =
    "application/vnd.dev.cosign.simplesigning.v1+json";
inline constexpr std::string_view envelope = "application/vnd.dsse.envelope.v1+json";
inline constexpr std::string_view log =
    "text/plain"; // with no parameters: image-spec descriptor.md
} // namespace media_type

namespace artifact_type {
inline constexpr std::string_view signature = "application/vnd.dev.cosign.artifact.sig.v1+json";
inline constexpr std::string_view attestations = "application/vnd.dev.cosign.artifact.att.v1+json";
inline constexpr std::string_view log = "application/vnd.slipway.build.log.v1";
} // namespace artifact_type

inline constexpr const char* signature_annotation = "dev.cosignproject.cosign/signature";
inline constexpr const char* predicate_annotation = "predicateType";

std::string signature_tag(const image::Digest& image);   // "sha256-<hex>.sig"
std::string attestation_tag(const image::Digest& image); // "sha256-<hex>.att"

image::Descriptor put_blob(image::BlobStore& store, std::string_view type, std::string_view bytes,
                           const base::Stop& stop);

struct Predicate {
    std::string type;
    std::string json;
};

struct Document {
    std::string artifact_type;
    image::Descriptor blob; // in the store already
};

struct Attachments {
    std::string name;        // of the image, as one would pull it, without tag and digest
    image::Descriptor image; // its manifest, which the store has
    std::vector<Predicate> predicates;
    std::vector<Document> documents;
};

// The signature comes last: what is signed has all the rest. Signatures and attestations by other
// keys stay; this key's earlier attestations of the same predicates and earlier logs give way,
// where the store takes deletes.
void attach(image::BlobStore& store, const Attachments& attachments, const base::KeyPair& key,
            const base::Stop& stop);

} // namespace proof
