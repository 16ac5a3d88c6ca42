// What package.toml and builder.toml have in common.
#pragma once

#include "packages/configuration.h"

#include "toml_reader.h"

namespace packages {

Source read_source(const TomlTable& table); // uri or image
std::vector<buildpacks::Target> read_targets(const TomlTable& root);

} // namespace packages
