#include "buildpacks/target.h"

#include <algorithm>

namespace buildpacks {
namespace {

bool fits(const std::string& one, const std::string& other) {
    return one.empty() || other.empty() || one == other;
}

} // namespace

bool satisfies(const Target& image, const Target& wanted) {
    if (!fits(image.os, wanted.os) || !fits(image.architecture, wanted.architecture) ||
        !fits(image.variant, wanted.variant))
        return false;
    if (wanted.distributions.empty()) return true;
    if (image.distributions.empty()) return false;
    const auto& here = image.distributions.front();
    return std::any_of(wanted.distributions.begin(), wanted.distributions.end(),
                       [&](const Distribution& distribution) {
                           return fits(here.name, distribution.name) &&
                                  fits(here.version, distribution.version);
                       });
}

bool satisfies(const Target& image, const Info& buildpack) {
    return buildpack.targets.empty() ||
           std::any_of(buildpack.targets.begin(), buildpack.targets.end(),
                       [&](const Target& target) { return satisfies(image, target); });
}

bool works_in(const std::string& execution_env, const Info& buildpack) {
    return works_in(execution_env, buildpack.execution_envs);
}

bool works_in(const std::string& execution_env, const std::vector<std::string>& envs) {
    return envs.empty() || std::find(envs.begin(), envs.end(), "*") != envs.end() ||
           std::find(envs.begin(), envs.end(), execution_env) != envs.end();
}

std::string render(const Target& target) {
    std::string text = target.os.empty() ? "any" : target.os;
    text += "/" + (target.architecture.empty() ? "any" : target.architecture);
    if (!target.variant.empty()) text += "/" + target.variant;
    std::string names;
    for (const auto& distribution : target.distributions) {
        auto name = distribution.name;
        if (!distribution.version.empty()) name += " " + distribution.version;
        names += (names.empty() ? "" : ", ") + name;
    }
    return names.empty() ? text : text + " (" + names + ")";
}

} // namespace buildpacks
