// What bin/release of a classic buildpack prints: YAML with default_process_types, config_vars and
// addons. A stranger wrote it: at most 256 KiB, 16 levels, no aliases.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace buildpacks {

struct Release {
    std::vector<std::pair<std::string, std::string>> process_types; // by name
    std::map<std::string, std::string> config_vars;
    std::vector<std::string> addons;
};

// Empty text and "--- {}" are an empty release; unknown keys are ignored, as everywhere. Throws
// Error{buildpack_failed} that names `whose` and the line.
Release parse_release(std::string_view yaml, const std::string& whose);

// The JSON of a report that is JSON or YAML; empty when it is neither. Same caps.
std::string report_to_json(std::string_view text);

} // namespace buildpacks
