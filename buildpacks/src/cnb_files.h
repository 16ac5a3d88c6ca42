// The files that a Cloud Native buildpack writes, read with distrust: by the descriptor, without
// following links, every error naming the file.
#pragma once

#include "buildpacks/buildpack.h"

#include <nlohmann/json_fwd.hpp>

namespace buildpacks {

// The plan file of bin/detect: its top section, then each `or`.
std::vector<PlanSection> read_build_plan(const std::filesystem::path& slot, const std::string& file,
                                         const std::string& whose);

// <layers>/<escaped id>: layers, launch.toml, build.toml, store.toml.
Built read_layers_directory(const std::filesystem::path& layers, const std::string& escaped_id);

// The buildpack plan handed to bin/build.
std::string render_plan(const std::vector<PlanEntry>& plan);

} // namespace buildpacks
