// The labels of buildpackages and builders, as JSON: distribution.md for the first two, pack for
// those of builders.
#pragma once

#include "packages/configuration.h"
#include "packages/contents.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace packages {

namespace label {
inline constexpr const char* buildpackage = "io.buildpacks.buildpackage.metadata";
inline constexpr const char* layers = "io.buildpacks.buildpack.layers";
inline constexpr const char* builder = "io.buildpacks.builder.metadata";
inline constexpr const char* order = "io.buildpacks.buildpack.order";
inline constexpr const char* system = "io.buildpacks.buildpack.system";
inline constexpr const char* stack_id = "io.buildpacks.stack.id";
} // namespace label

// full_name -> "sha256:..." of the layer that holds it.
using DiffIds = std::map<std::string, std::string>;

nlohmann::json layers_label(const Contents& contents, const DiffIds& diff_ids);
// Throws Error{invalid_input} when no stack suits all contents.
nlohmann::json buildpackage_label(const Contents& contents, const Component& main);
nlohmann::json order_json(const buildpacks::Order& order); // [{"group":[...]}]
nlohmann::json group_json(const buildpacks::OrderGroup& group);
nlohmann::json run_image_json(const RunImage& run_image);
// As pack names a buildpack in a label: id, version, name, homepage, ...
nlohmann::json module_info(const Component& component);

} // namespace packages
