// Whom a build may call (fetcher.h, Access): a name is resolved here, its addresses are checked,
// and the connection goes to what was checked. Any thread.
#pragma once

#include "http/url.h"
#include "sources/fetcher.h"

#include <functional>
#include <string>
#include <vector>

namespace sources {

// The addresses to connect to. Empty: whatever the name means is fine. Throws Error{denied} for a
// host that leads into a private network, Error{invalid_input} for one that cannot be pinned,
// Error{not_found | unavailable} when it cannot be looked up.
std::vector<std::string> checked_addresses(const Access& access, const http::Url& url);

// For http::ClientOptions and registry::Settings: empty where any address is fine.
std::function<bool(const std::string& address)> address_check(const Access& access,
                                                              const std::string& host, int port);

} // namespace sources
