// The parts of a repository's address. Pure; any thread.
#pragma once

#include "http/url.h"

#include <string>
#include <string_view>

namespace remotes {

struct SshAddress {
    std::string user;
    std::string host; // an IPv6 address without brackets
    int port = 22;
    std::string path; // with its slash

    std::string url() const;
    // As known_hosts(5) writes it.
    std::string known_as() const;
};

// Of an ssh:// URL or of user@host:path. Throws Error{invalid_input}.
SshAddress parse_ssh(std::string_view url);

} // namespace remotes
