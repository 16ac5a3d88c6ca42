// A key for signatures that another program checks (ECDSA on P-256 with SHA-256: ES256 of RFC 7518
// section 3.4), with a certificate signed by itself. Made afresh and held in memory alone: what is
// never written down cannot be read. Any thread may sign.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace base {

class SigningKey {
  public:
    SigningKey();
    ~SigningKey();
    SigningKey(SigningKey&&) noexcept;

    // X.509 in PEM, of this subject and issuer, valid from an hour ago for so long.
    std::string certificate(std::string_view common_name, std::chrono::hours lifetime) const;
    std::string public_key() const;                 // SubjectPublicKeyInfo in DER
    std::string sign(std::string_view bytes) const; // R and S, 32 bytes each

  private:
    struct Key;
    std::unique_ptr<Key> key_;
};

} // namespace base
