// What `slipway buildpack inspect` and `slipway builder inspect` show alike. main's thread.
#pragma once

#include "context.h"

namespace cli {

// packages/inspect.h's "buildpacks" and "order", "system".
void print_buildpacks(const base::json::Value& described);
void print_order(const base::json::Value& described);

} // namespace cli
