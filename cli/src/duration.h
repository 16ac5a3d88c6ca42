// Spans of time as people type them. Pure.
#pragma once

#include <chrono>
#include <string>

namespace cli {

// "90d", "12h", "30m", "45s", "2w". Throws Error{invalid_input} for anything else, nothing and
// more than a hundred years.
std::chrono::seconds parse_duration(const std::string& text);

} // namespace cli
