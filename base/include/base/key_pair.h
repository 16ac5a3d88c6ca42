// Keys for signatures that other programs check: ECDSA on P-256 with SHA-256, keys in PEM, as
// `openssl dgst -sha256 -verify`, cosign and docker-registry read them. Values; any thread.
#pragma once

#include "base/secret.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace base {

class PublicKey {
  public:
    // SubjectPublicKeyInfo in PEM. Throws Error{invalid_input} for anything but a key on P-256.
    static PublicKey parse(std::string_view pem);
    // All keys of a text with several, in its order; what stands between them is passed over.
    static std::vector<PublicKey> parse_all(std::string_view text);

    const std::string& pem() const noexcept { return pem_; } // one spelling for each key
    std::string der() const;                                 // SubjectPublicKeyInfo
    const std::string& id() const noexcept { return id_; }   // SHA-256 of its DER, hex
    bool has_signed(std::string_view bytes, std::string_view signature) const noexcept;

  private:
    friend class KeyPair;
    PublicKey() = default;
    std::shared_ptr<const void> key_; // OpenSSL's EVP_PKEY
    std::string pem_, id_;
};

class KeyPair {
  public:
    static KeyPair make();
    // PKCS#8 or SEC1 in PEM, not encrypted. Throws Error{invalid_input}.
    static KeyPair parse(const Secret& pem);
    // Reads the file; makes it (0600, durably) when it is not there. Throws Error{invalid_input}
    // for a file of another form, Error{denied} for one that others may read.
    static KeyPair open(const std::filesystem::path& file);

    const PublicKey& public_key() const noexcept { return public_; }
    Secret pem() const;                             // PKCS#8
    std::string sign(std::string_view bytes) const; // in DER
    // ES256 of RFC 7518 section 3.4: R and S, 32 bytes each.
    std::string sign_es256(std::string_view bytes) const;
    // X.509 in PEM, signed by itself, of this subject and issuer, valid from an hour ago for so
    // long.
    std::string certificate(std::string_view common_name, std::chrono::hours lifetime) const;

  private:
    KeyPair() = default;
    PublicKey public_; // shares the key
};

} // namespace base
