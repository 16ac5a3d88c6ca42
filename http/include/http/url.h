// The parts of a URL that decide who may see a credential. Values only, any thread.
#pragma once

#include <string>
#include <string_view>

namespace http {

struct Url {
    std::string scheme; // "http" or "https": nothing else is parsed
    std::string host;   // lower case; an IPv6 address without brackets
    int port = 0;       // the scheme's when none was written

    // "https://host:port": equal for the same server, whatever the path.
    std::string origin() const;
    // A literal address of this machine, of a private or a link-local network (also written as
    // IPv6), or the name localhost.
    bool is_internal() const;
    bool is_loopback() const;
};

// Throws Error{invalid_input}, for another scheme and for a user name in it, too.
Url parse_url(std::string_view text);

// RFC 3986 resolution of a Location header against the URL of the request, fragment dropped.
std::string resolve(std::string_view base_url, std::string_view reference);

// As people may see it: without a user name, a query and a fragment, where credentials stand. Of
// any text, for it may be none of ours.
std::string without_secrets(std::string_view url);

std::string percent_encode(std::string_view text);

} // namespace http
