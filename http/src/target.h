// Parts of a request's target. Values only. Private to the server.
#pragma once

#include "http/server.h"

#include <optional>
#include <string>
#include <string_view>

namespace http {

// Empty for a % that two hexadecimal digits do not follow.
enum class Plus { plus, space }; // "+" in a query is a space
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

// Fills path and query from the target. Throws BadRequest 400.
void parse_target(RequestHead& head);

} // namespace http
