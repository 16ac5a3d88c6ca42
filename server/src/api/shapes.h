// What the store keeps, as the JSON of docs/api.md and openapi.json. Any thread.
#pragma once

#include "../site.h"

#include "apps/tokens.h"
#include "base/json.h"

namespace server::api {

base::json::Value shape_app(const Site& site, const apps::App& app);
base::json::Value shape_build(const apps::Build& build);
base::json::Value shape_key(const apps::Key& key);
base::json::Value shape_token(const apps::Token& token); // without its text, which nobody has
base::json::Value shape_stack(const apps::Stack& stack);
base::json::Value shape_server(const Site& site);

} // namespace server::api
