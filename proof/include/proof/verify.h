// Whether an image is what somebody who holds one of these keys built, and what they said about it.
// Blocks on the store; any thread.
#pragma once

#include "base/error.h"
#include "base/key_pair.h"
#include "base/stop.h"
#include "image/blob_store.h"
#include "proof/provenance.h"

#include <map>
#include <string>
#include <vector>

namespace proof {

struct Evidence {
    std::string key_id; // of the key that signed the image
    // The repositories that the signatures by these keys name, each once, in their order. An image
    // may be copied with them, as with cosign: that it is another is no reason to doubt the image.
    std::vector<std::string> signed_for;
    Provenance provenance;
    std::map<std::string, std::string> predicates; // by type, each signed by one of the keys
};

// Why an image is not believed: absent is Error{not_found}, the others are Error{denied}.
enum class Doubt {
    absent,      // no such image, or no signature, or no provenance
    unknown_key, // what is there was signed by none of the keys
    other_image, // it is about another image
    changed,     // it was changed after it was signed, or put in the place of what was
};
struct Distrust : base::Error {
    Distrust(Doubt doubt, std::string message, std::string hint = {});
    Doubt doubt;
};

// Of the log and the bills of materials that are attached as they are, those that the provenance
// names must be there, when any of their kind is: others may lie beside them, and a copy of the
// image may come without them all.
// `image`: a manifest's digest. Throws Distrust, and what the store throws.
Evidence verify(image::BlobStore& store, const image::Digest& image,
                const std::vector<base::PublicKey>& keys, const base::Stop& stop);

// What is said about an image, whoever signed it or nobody: for looking, not for trust.
std::map<std::string, std::string>
read_predicates(image::BlobStore& store, const image::Digest& image, const base::Stop& stop);

} // namespace proof
