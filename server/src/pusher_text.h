// What the pusher and the readers of the log are told by the server itself, in the field's
// convention: "-----> step", seven spaces of body, " !     error". Complete printable lines.
#pragma once

#include "apps/records.h"
#include "base/error.h"

#include <string>
#include <string_view>
#include <vector>

namespace server {

using Lines = std::vector<std::string>;

Lines announce(const apps::Build& build); // at the start
std::string waiting_line(std::size_t builds_ahead);
Lines tell_outcome(const apps::Build& build); // at the end
Lines tell_error(const base::Error& error);   // a push that did not become a build

} // namespace server
