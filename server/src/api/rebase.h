// POST /v1/rebase and POST /v1/apps/{app}/rebase (docs/api.md).
#pragma once

#include "api.h"

#include "../rebases.h"

namespace server::api {

// rebases outlives the router.
void add_rebase_routes(http::Router& router, Api& api, Rebases& rebases);

} // namespace server::api
