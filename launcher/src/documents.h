// The two TOML documents a launch reads: `<layers>/config/metadata.toml`, written by the export
// phase, and what an exec.d program writes to descriptor 3. The only part that knows toml++.
#pragma once

#include "api_version.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace launch {

struct Buildpack {
    std::string id;
    ApiVersion api;
};

struct Process {
    std::string type;                 // empty for a command given by the user
    std::vector<std::string> command; // the first is the program, the rest always stays
    std::vector<std::string> args;    // defaults, which a user's arguments may replace
    std::vector<std::string> exec_env;
    std::string working_directory; // empty: the application directory
    std::string buildpack_id;
    bool direct = false; // executed as it is, without a shell
};

struct Metadata {
    std::vector<Buildpack> buildpacks;
    std::vector<Process> processes;
};

// Ends the launch when the file is missing, malformed or names an API not supported (12).
Metadata read_metadata(const std::string& path);

using Variables = std::vector<std::pair<std::string, std::string>>;

// `source` names the program in the failure.
Variables parse_variables(std::string_view text, const std::string& source);

} // namespace launch
