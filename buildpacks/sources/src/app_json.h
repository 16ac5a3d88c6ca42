// The buildpacks that an app.json or a scalingo.json names. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sources {

// The `url` of each element of its `buildpacks`; empty when it has none. Throws
// Error{invalid_input} that begins with `file`.
std::vector<std::string> buildpacks_of_app_json(std::string_view json, const std::string& file);

} // namespace sources
