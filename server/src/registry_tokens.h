// The token service before the registry that we run: signed tokens of a few minutes (JWT, ES256),
// which docker-registry checks by our certificate, and the two secrets that are no API token: the
// server's own, and one of each build. All of it ends with this process. Any thread.
#pragma once

#include "registry_scope.h"

#include "base/key_pair.h"
#include "base/secret.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

class RegistryTokens {
  public:
    RegistryTokens();

    static constexpr std::string_view issuer = "slipway";
    static constexpr std::string_view service = "slipway-registry";
    static constexpr std::string_view own_user = "slipway"; // whose password is own_password()
    static constexpr std::string_view build_user = "build";
    static constexpr std::chrono::seconds lifetime{300};

    // For docker-registry's auth.token.rootcertbundle.
    const std::string& certificate() const noexcept { return certificate_; }
    // now: milliseconds since 1970.
    std::string make(std::string_view subject, const std::vector<RegistryScope>& access,
                     std::int64_t now) const;

    const base::Secret& own_password() const noexcept { return own_password_; }
    bool is_own_password(std::string_view text) const noexcept;
    base::Secret secret_of_build(std::string_view build) const;
    // The id that the secret was made for; empty for what we did not make. Whether the build still
    // runs is for the caller to ask.
    std::optional<std::string> build_of_secret(std::string_view secret) const;

  private:
    base::KeyPair key_ = base::KeyPair::make();
    std::string certificate_;
    std::string key_id_;
    base::Secret own_password_;
    base::Secret builds_key_;
};

// What docker-registry calls a key in a token's "kid": its library's fingerprint of a public key
// (DER): 240 bits of SHA-256 in base32, in groups of four.
std::string fingerprint_of_key(std::string_view public_key);

} // namespace server
