// Whom we may call for a stranger who named the URL (server-side request forgery): the name is
// resolved here, its addresses are checked, and the connection goes to what was checked. Any
// thread.
#pragma once

#include "http/url.h"

#include <functional>
#include <string>
#include <vector>

namespace http {

struct OutgoingPolicy {
    bool any_host = false;                          // a person at this machine named the URL
    std::vector<std::string> allowed_private_hosts; // "name" or "name:port", by the operator
    std::string setting; // its name, for errors: "network.allowed_private_hosts"
};

// Whether the operator (or the person) vouches for this host, whatever its address is.
bool is_allowed(const OutgoingPolicy& policy, const std::string& host, int port);

// The addresses to connect to. Empty: whatever the name means is fine. Throws Error{denied} for a
// host that leads into a private network, Error{invalid_input} for one that cannot be pinned,
// Error{not_found | unavailable} when it cannot be looked up.
std::vector<std::string> checked_addresses(const OutgoingPolicy& policy, const Url& url);

// For ClientOptions::allow_address: empty where any address is fine.
std::function<bool(const std::string& address)> address_check(const OutgoingPolicy& policy,
                                                              const std::string& host, int port);

// "host:port:address,[v6 address]": CURLOPT_RESOLVE's form, git's http.curloptResolve.
std::string pin_of(const Url& url, const std::vector<std::string>& addresses);

} // namespace http
