#include "http/outgoing.h"

#include "http/address.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>

namespace http {
namespace {

using base::Error;
using base::ErrorKind;

// A name that libcurl would change before it looks for our pin (international letters, a dot at
// the end) would be resolved again, past the check.
bool can_be_pinned(const std::string& host) {
    if (host.find(':') != host.npos)
        return host.find_first_not_of("0123456789abcdef:.") == host.npos;
    return !host.empty() && !host.ends_with('.') &&
           std::all_of(host.begin(), host.end(), [](unsigned char c) {
               return std::isalnum(c) || c == '-' || c == '.' || c == '_';
           });
}

} // namespace

bool is_allowed(const OutgoingPolicy& policy, const std::string& host, int port) {
    if (policy.any_host) return true;
    const auto& allowed = policy.allowed_private_hosts;
    const auto listed = [&](const std::string& name) {
        return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    };
    return listed(host) || listed(host + ":" + std::to_string(port));
}

std::vector<std::string> checked_addresses(const OutgoingPolicy& policy, const Url& url) {
    if (is_allowed(policy, url.host, url.port)) return {};
    if (!can_be_pinned(url.host))
        throw Error(ErrorKind::invalid_input,
                    base::quoted(url.host) + " is not a host name that is used here",
                    "Write an international name in its xn-- form and without a dot at its end.");
    const auto addresses = addresses_of(url.host);
    for (const auto& address : addresses)
        if (!is_public_address(address))
            throw Error(ErrorKind::denied,
                        // Not which one: it would tell strangers the names of our network.
                        "the host " + base::quoted(url.host) +
                            " is at an address that is not public",
                        "The server's operator can allow it: " + policy.setting + ".");
    return addresses;
}

std::function<bool(const std::string&)> address_check(const OutgoingPolicy& policy,
                                                      const std::string& host, int port) {
    if (is_allowed(policy, host, port)) return {};
    return [](const std::string& address) { return is_public_address(address); };
}

std::string pin_of(const Url& url, const std::vector<std::string>& addresses) {
    std::string pin = url.host + ":" + std::to_string(url.port) + ":";
    for (std::size_t i = 0; i < addresses.size(); ++i)
        pin +=
            (i == 0 ? "" : ",") +
            (addresses[i].find(':') == std::string::npos ? addresses[i] : "[" + addresses[i] + "]");
    return pin;
}

} // namespace http
