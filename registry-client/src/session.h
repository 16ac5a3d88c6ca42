// Requests to one registry: authentication, bounded retries, redirects. Thread-safe.
#pragma once

#include "authentication.h"

#include "registry/host.h"

#include "http/client.h"

#include <functional>
#include <string>
#include <vector>

namespace registry {

struct Call {
    std::string method = "GET";
    std::string url; // absolute, or a path from the registry's root
    std::vector<std::string> scopes;
    std::vector<std::string> headers;
    std::string body;
    std::function<std::size_t(char*, std::size_t)> body_source;
    std::uint64_t body_size = 0;
    std::function<void()> body_rewind;
    // A part of the body may have been taken, and would be there twice: the HTTP client must not
    // send it again by itself when an old connection turns out to be closed.
    bool never_twice = false;
    std::function<void(std::string_view)> sink;
    std::function<void(int status)> on_status; // before the first byte for `sink`
    std::string doing;                         // "read the manifest latest": for errors
    bool local_failure = false;                // set by the session: `sink` or `body_source` threw
    // The caller repeats it itself, from an earlier step: what is_transient() names is an answer.
    bool once = false;
    // Called before each attempt: may change the headers (Range, say).
    std::function<void(Call&)> prepare;
};

class Session {
  public:
    Session(const std::string& registry, Settings settings, MakeToken make_token = {});

    // Any answer but 401, redirects (of GET and HEAD) and what is_transient() names; those end in
    // an Error once the attempts are used up, but for a call that is made once.
    http::Response send(Call call, const base::Stop& stop);

    // Waits before attempt number `attempt` (1 is the second). Throws when the stop comes.
    void back_off(int attempt, std::optional<std::chrono::milliseconds> asked,
                  const base::Stop& stop) const;
    // The Location of an answer, for the next request. Throws Error{denied} when it leads from
    // https to http or from a public registry to an internal address.
    std::string next_hop(const std::string& url, const http::Response& response) const;
    // The same for an address that a header of a list has (Link, say).
    std::string resolve(const std::string& url, const std::string& location) const;
    int attempts() const noexcept { return settings_.attempts; }
    const std::string& name() const noexcept { return registry_; }

  private:
    http::Response send_once(Call& call, const base::Stop& stop);
    http::Response follow(Call& call, const std::string& url, const base::Stop& stop);
    std::string absolute(const std::string& url) const;

    const std::string registry_;
    const Settings settings_;
    const std::string root_; // "https://host"
    const http::Url origin_;
    http::Client client_;
    Authentication authentication_;
};

} // namespace registry
