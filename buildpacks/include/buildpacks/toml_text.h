// TOML to JSON and back, as text: the specification's files are TOML, its labels JSON. Dates
// become strings, members that are null are left out; a binary value is TOML already. Keys come out
// in the JSON's order, sorted unless it is ordered_json, so that equal tables give equal bytes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace buildpacks {

// Throws Error{invalid_input} naming `what`, the line and the reason.
nlohmann::json toml_to_json(std::string_view text, std::string_view what);
std::string json_to_toml(const nlohmann::json& table);
std::string ordered_json_to_toml(const nlohmann::ordered_json& table);

} // namespace buildpacks
