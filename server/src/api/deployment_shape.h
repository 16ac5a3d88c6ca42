// A build in the words of Scalingo's deployments. Any thread.
#pragma once

#include "../site.h"

#include "apps/records.h"
#include "base/json.h"

#include <string_view>

namespace server::api {

// queued, building, pushing, success, aborted, build-error or crashed-error.
std::string_view deployment_status(apps::BuildState state) noexcept;
base::json::Value shape_deployment(const Site& site, const apps::Build& build);

} // namespace server::api
