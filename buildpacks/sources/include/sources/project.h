// project.toml, the project descriptor 0.1, 0.2 and 0.3 (spec: extensions/project-descriptor.md).
// Values; any thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sources {

// [io.buildpacks.group.script]: a buildpack of one script that always detects.
struct InlineScript {
    std::string id;
    std::string version;
    std::string api;
    std::string shell = "/bin/sh";
    std::string text;
};

struct ProjectBuildpack {
    std::string id;
    std::string version;
    std::string uri;
    std::optional<InlineScript> script;
    bool optional = false;
};

struct Project {
    bool present = false;
    std::string schema_version;
    std::vector<std::string> include; // gitignore patterns; only one of the two
    std::vector<std::string> exclude;
    std::string builder;
    std::vector<ProjectBuildpack> group, pre, post;
    std::map<std::string, std::string> build_environment;
    std::vector<std::string> warnings; // for the log: an old schema, keys nobody reads
};

// Empty `present` without the file. Throws Error{invalid_input} that names the line or the key.
Project read_project(const std::filesystem::path& app);

// Removes what exclude names (or all but what include names) from the app: before anything else
// sees it. Returns how many files went.
std::size_t apply_patterns(const Project& project, const std::filesystem::path& app);

} // namespace sources
