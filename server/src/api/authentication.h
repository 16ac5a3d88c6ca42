// From a request's head to who asks: the local socket's peer, or a bearer token. Any thread.
#pragma once

#include "principal.h"
#include "rate_limit.h"
#include "session_tokens.h"

#include "http/server.h"

#include <cstdint>
#include <string>

namespace server::api {

// "slw_" and 40 characters. Only its SHA-256 is kept.
std::string make_token_text();
std::string hash_of_token(std::string_view text);

// The token that a request's Authorization brings, as Bearer or as Basic's password; empty: none
// that we know how to read.
std::string password_of(const http::RequestHead& head);

class Authentication {
  public:
    Authentication(apps::Tokens& tokens, std::uint64_t failures_per_minute)
        : tokens_(tokens), failures_(failures_per_minute) {}

    // Throws Error{unauthenticated} for a missing, wrong or expired token, Error{denied} for
    // another user on the local socket, Busy for an address that guessed too often.
    Principal identify(const http::RequestHead& head);
    // The same for a token that came otherwise than in the header.
    Principal identify(const http::RequestHead& head, const std::string& token);
    const SessionTokens& sessions() const noexcept { return sessions_; }

  private:
    Principal look_up(const std::string& text);

    apps::Tokens& tokens_;
    RateLimit failures_; // by the network that they come from
    SessionTokens sessions_;
};

} // namespace server::api
