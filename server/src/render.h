// Records as the JSON of docs/local-protocol.md.
#pragma once

#include "site.h"

#include "base/json.h"

namespace server {

base::json::Value render_app(const Site& site, const apps::App& app);
base::json::Value render_key(const apps::Key& key);
base::json::Value render_build(const apps::Build& build);
base::json::Value render_stack(const apps::Stack& stack);
base::json::Value render_info(const Site& site);

} // namespace server
