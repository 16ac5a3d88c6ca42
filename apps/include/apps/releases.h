// Builds that are no wait in a queue: whoever makes one works on it from its first moment (a
// rebase). Afterwards it is as any other one that is held (apps/builds.h): Builds::finish ends it,
// and Builds::recover finds it when its maker is gone.
#pragma once

#include "apps/builds.h"

#include <chrono>
#include <string_view>

namespace apps {

// Running, with `worker` as its holder: the only one of its app that runs, and `parent` is the
// app's last release. Throws Error{already_exists} when either is not so, Error{not_found} for an
// unknown app.
Claim begin_build(Database& database, const Build& build, std::string_view parent,
                  std::string_view worker, std::chrono::milliseconds lease);

} // namespace apps
