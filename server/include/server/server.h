// The server put together: opens the state, starts what it needs, serves until it is told to stop.
// slipwayd's main and nobody else.
#pragma once

#include "server/config.h"

#include "base/stop.h"

#include <string>

namespace server {

// Returns after a clean stop. drain: requested by the first SIGTERM (finish what runs);
// end: by the second (stop what runs). Throws what keeps it from starting.
void serve(const Config& config, const std::string& version, const base::Stop& drain,
           const base::Stop& end);

} // namespace server
