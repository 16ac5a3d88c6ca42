// JSON between programs and over the network: reading with errors that name the field.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base::json {

using Value = nlohmann::json;

// Throws Error{invalid_input} that names `what`. Nesting over 64 levels is refused.
Value parse(std::string_view text, std::string_view what);
// One line, keys sorted, invalid UTF-8 replaced.
std::string render(const Value& value);

// Members of an object. get_* throws Error{invalid_input} naming the member when it is absent or
// of another type; find_* answers empty when it is absent or null.
std::string get_string(const Value& object, std::string_view name);
std::int64_t get_integer(const Value& object, std::string_view name);
std::vector<std::string> get_strings(const Value& object, std::string_view name);
std::optional<std::string> find_string(const Value& object, std::string_view name);
std::optional<std::int64_t> find_integer(const Value& object, std::string_view name);
bool find_bool(const Value& object, std::string_view name, bool otherwise);

} // namespace base::json
