// What the pusher and the readers of the log are told by the server itself, in the field's
// convention: "-----> step", seven spaces of body, " !     error". Complete printable lines.
#pragma once

#include "apps/records.h"
#include "base/error.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

using Lines = std::vector<std::string>;

Lines announce(const apps::Build& build); // at the start
// "2 builds before this one; about 3 min"
std::string waiting_line(std::int64_t ahead, std::optional<std::chrono::seconds> estimate);
Lines tell_restart(const apps::Build& build, int most_attempts); // of one that waits again
std::string superseded_by(const apps::Build& newer);             // the older one's reason
Lines tell_parked(const apps::Build& build);  // its image is kept; the registry is away
Lines tell_outcome(const apps::Build& build); // at the end
// What the pusher of a detached build is told. ssh_url: "ssh://git@host:port".
Lines tell_detached(const std::string& build, const std::string& ssh_url);
Lines tell_error(const base::Error& error); // a push that did not become a build

} // namespace server
