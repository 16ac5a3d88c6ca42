// Environment modification rules (buildpack.md, "Environment"): what a layer adds to the
// environment of the buildpacks after it.
#pragma once

#include "buildpacks/buildpack.h"

#include <filesystem>
#include <string>

namespace buildpacks {

// Adds the roots (bin, lib, include, pkgconfig), env/ and env.build/ of <layers>/<relative>.
void add_build_layer(Environment& environment, const std::filesystem::path& layers,
                     const std::string& relative, const std::string& inside);

// The files of an environment directory, by name. `plain`: what a name without a suffix means.
// Files with a suffix that is not of the specification are left out.
std::vector<Modification> read_modifications(const std::map<std::string, std::string>& files,
                                             Modification::Action plain);
void modify(Environment& environment, const std::vector<Modification>& modifications);

// The user's variables on top: path-like ones are put in front, others override (platform.md,
// "User-Provided Variables"). Not for buildpacks with clear-env.
Environment with_platform(Environment environment, const Environment& platform);

// "K=V" lines for engine::Invocation.
std::vector<std::string> render(const Environment& environment);

} // namespace buildpacks
