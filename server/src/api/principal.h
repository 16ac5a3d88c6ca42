// Who asks, and what of the server exists for them. A value.
#pragma once

#include "apps/tokens.h"

#include <string>
#include <string_view>
#include <vector>

namespace server::api {

struct Principal {
    std::string id;   // the token's; "operator" on the local socket
    std::string name; // for people: a build's "pushed_by", the log
    std::vector<apps::Scope> scopes;
    bool is_operator = false; // came by the local socket

    bool is_server() const noexcept;
    bool may(std::string_view app, apps::Right right) const noexcept;
    // The apps that exist for one who is not is_server().
    std::vector<std::string> apps() const;
};

// Whoever the kernel says owns the other end of the local socket, when that is us or root.
Principal local_operator();

} // namespace server::api
