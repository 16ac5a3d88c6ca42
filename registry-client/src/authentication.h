// What is sent as Authorization to one registry: tokens by scope, or a user's name and password.
// Thread-safe.
//
// Where credentials may go (containerd's CVE-2020-15157, go-containerregistry's validateRealmURL):
// to the registry itself; to a token server that it names, over https, or in plain HTTP only when
// the registry is spoken to in plain HTTP and the token server is the same host. A realm that is a
// private or link-local address is refused unless the registry is that host.
#pragma once

#include "registry/host.h"

#include "http/client.h"

#include "base/guarded.h"

#include <chrono>

namespace registry {

class Authentication {
  public:
    Authentication(http::Client& client, http::Url registry, std::optional<Credential> credential,
                   MakeToken make_token);

    // The header's value for requests with these scopes ("repository:a:pull"); empty: none yet.
    std::string authorization(const std::vector<std::string>& scopes);

    // Answers a 401. Throws Error{unauthenticated | denied} when it cannot be answered.
    // used: what the refused request had sent.
    void answer(const http::Response& refused, const std::vector<std::string>& scopes,
                const std::string& used, const base::Stop& stop);

  private:
    struct Token {
        std::string value;
        std::chrono::steady_clock::time_point expires;
    };
    struct State {
        std::map<std::string, Token> tokens; // by scopes
        bool basic = false;
    };
    http::Url check_realm(const std::string& realm) const;
    Token fetch_token(const std::map<std::string, std::string>& challenge,
                      const std::vector<std::string>& scopes, const base::Stop& stop);
    [[noreturn]] void refused(const http::Response& response) const;

    http::Client& client_;
    const http::Url registry_;
    const std::optional<Credential> credential_;
    const MakeToken make_token_;
    base::Guarded<State> state_;
};

} // namespace registry
