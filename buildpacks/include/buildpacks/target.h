// Targets: what an image is, and where a buildpack says it works (buildpack.md, "Targets";
// platform.md, "Target Data"). Pure; any thread.
#pragma once

#include "buildpacks/buildpack.h"

namespace buildpacks {

// What an image is: as `Target`, with one distribution or none.
// A field that either side leaves open fits; a distribution that a buildpack names must be known.
bool satisfies(const Target& image, const Target& wanted);
// Any of the buildpack's targets; one without targets works everywhere.
bool satisfies(const Target& image, const Info& buildpack);
// [buildpack] exec-env: empty and "*" mean any (API 0.12).
bool works_in(const std::string& execution_env, const std::vector<std::string>& execution_envs);
bool works_in(const std::string& execution_env, const Info& buildpack);

// "linux/amd64 (debian 12)".
std::string render(const Target& target);

} // namespace buildpacks
