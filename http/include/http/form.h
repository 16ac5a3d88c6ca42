// What a form sends as its body or a URL has as its query (application/x-www-form-urlencoded).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

// Names and values, decoded, in order; a name may come more than once. Throws Error{invalid_input}.
using Form = std::vector<std::pair<std::string, std::string>>;
Form parse_form(std::string_view text);

// What follows the "?" of a request's target or a URL; empty without one.
std::string_view query_of(std::string_view target);

} // namespace http
