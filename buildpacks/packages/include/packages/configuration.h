// package.toml and builder.toml, as pack has them. Values; any thread. Both readers throw
// Error{invalid_input} that names the file, the line and the key; a key that nobody reads is
// refused, since a misspelt one would be lost silently.
#pragma once

#include "buildpacks/buildpack.h"
#include "buildpacks/order.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace packages {

// Where a buildpack is said to be. `where` starts messages about it: "builder.toml, line 7".
struct Source {
    std::string uri;         // an image is docker://; folders are relative to the file
    std::string id, version; // what must be found there; empty: whatever is there
    std::string where;
};

struct PackageToml {
    Source buildpack;
    std::vector<Source> dependencies;
    std::vector<buildpacks::Target> targets;
};

PackageToml read_package_toml(const std::filesystem::path& file);

struct RunImage {
    std::string image;
    std::vector<std::string> mirrors;
};

// A file of /cnb/build-config/env: "NAME", "NAME.append", "NAME.delim".
struct BuildVariable {
    std::string file;
    std::string value;
};

struct OrderedBuildpack {
    buildpacks::OrderElement element;
    std::string where;
};

struct BuilderToml {
    std::string description;
    std::vector<Source> buildpacks;
    std::vector<std::vector<OrderedBuildpack>> order;
    std::vector<OrderedBuildpack> system_pre, system_post;
    std::string build_image;
    std::vector<RunImage> run_images; // at least one
    std::vector<BuildVariable> build_environment;
    std::string stack_id; // empty: the build image's
    std::vector<buildpacks::Target> targets;
    std::vector<std::string> notes; // for people: what was read and is not used
};

BuilderToml read_builder_toml(const std::filesystem::path& file);

// The architecture to make an image for, of those that are listed: this machine's if it may be.
// Throws Error{invalid_input} when several are listed and none is this machine's, or when the
// system is another than Linux.
std::string choose_architecture(const std::vector<buildpacks::Target>& targets,
                                const std::string& here);

} // namespace packages
