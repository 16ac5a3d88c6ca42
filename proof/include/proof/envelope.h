// How statements are signed: DSSE v1 for attestations (secure-systems-lab/dsse, protocol.md,
// envelope.md), cosign's simple signing for the image itself (sigstore/cosign,
// specs/SIGNATURE_SPEC.md). Pure.
#pragma once

#include "image/digest.h"

#include "base/key_pair.h"

#include <string>
#include <string_view>
#include <vector>

namespace proof {

inline constexpr std::string_view in_toto_payload = "application/vnd.in-toto+json";

// PAE: what is signed in the payload's place.
std::string pre_authentication_encoding(std::string_view type, std::string_view payload);

// An envelope around an in-toto statement, with the key's id as a hint.
std::string seal(std::string_view payload, const base::KeyPair& key);

// Who signed it, out of these keys. `unknown`: none of them, and the envelope does not say that one
// of them did. `changed`: it says so, but that key's signature is of other bytes.
enum class Seal { valid, unknown, changed };
struct Opened {
    Seal seal = Seal::unknown;
    std::string payload; // empty unless valid
    std::string key_id;  // of the key that signed; empty unless valid
};
// Throws Error{invalid_input} for what is no envelope.
Opened open(std::string_view envelope, const std::vector<base::PublicKey>& keys);

// What cosign signs for an image.
struct SimpleSigning {
    std::string name; // as one would pull it, without tag and digest; a stranger may leave it out
    image::Digest image;
};
std::string render_simple_signing(std::string_view name, const image::Digest& image);
SimpleSigning parse_simple_signing(std::string_view json); // throws Error{invalid_input}

} // namespace proof
