// Short-lived tokens in the form of a JWT (RFC 7519, HS256), which Scalingo's clients want in
// exchange for a lasting one: they read its expiry and nothing else. Whoever holds one is the token
// that it was given for; they end with this process. Any thread.
#pragma once

#include "base/secret.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace server::api {

class SessionTokens {
  public:
    SessionTokens(); // with a fresh key

    static constexpr std::chrono::minutes lifetime{60};

    // token_hash: of the lasting token (apps::Token). now: milliseconds since 1970.
    std::string make(std::string_view token_hash, std::int64_t now) const;
    // The hash that it was made for; empty for another's, a changed and an expired one.
    std::optional<std::string> token_hash_of(std::string_view session, std::int64_t now) const;

  private:
    std::string sign(std::string_view content) const;

    base::Secret key_;
};

} // namespace server::api
