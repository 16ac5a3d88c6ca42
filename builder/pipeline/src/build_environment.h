// What buildpacks find in their environment, and in <platform>/env: nothing of the worker's own.
#pragma once

#include "engine/sandbox.h"
#include "registry/image_store.h"
#include "workspace.h"

#include <optional>
#include <vector>

namespace builder {

// CNB_USER_ID and CNB_GROUP_ID of a build image. Throws Error{invalid_input} for root or nonsense.
BuildUser build_user(const registry::PinnedImage& build_image);

// platform.md, "Target Data": the distribution that the run image's labels tell; without them that
// of the build image's /etc/os-release. root_layers: of the build image, unpacked. Empty: unknown.
std::optional<buildpacks::Distribution>
distribution_of(const registry::PinnedImage& run_image,
                const std::vector<std::filesystem::path>& root_layers);

// The same section: what buildpacks are told the run image is.
buildpacks::Target target_of(const registry::PinnedImage& run_image,
                             const std::optional<buildpacks::Distribution>& distribution);

// What every buildpack finds: of the build image what the lifecycle lets through, the target (the
// run image), service bindings, extra CA certificates; without the user's variables. Each
// buildpack's API then decides which of the CNB_ variables it sees.
struct StackImagesRead {
    const registry::PinnedImage& build;
    const registry::PinnedImage& run;
    const std::optional<buildpacks::Distribution>& distribution;
};
buildpacks::Environment base_environment(const StackImagesRead& images, const Job& job,
                                         const Workspace& workspace);

// platform.md, "Operator-Defined Variables": /cnb/build-config/env of the build image, a plain name
// being a default.
std::vector<buildpacks::Modification>
operator_variables(const std::vector<std::filesystem::path>& root_layers);

// One file for each of the user's variables (platform.md, "User-Provided Variables"), and the
// service bindings: bindings/<name>/<file>.
void write_platform(const Job& job, const Workspace& workspace);

// The stack's certificates and the operator's in one file, when the operator gave some.
// True: workspace.ca_file was written and is to be mounted.
bool write_ca_file(const Job& job, const Workspace& workspace,
                   const std::vector<std::filesystem::path>& root_layers);

// The sandbox with the build's directories in it, but without the build image's layers, its cgroups
// and mounts of single buildpacks.
engine::SandboxSpec sandbox_spec(const Job& job, const Workspace& workspace, BuildUser user);

// "A B", for the log; "none" without any.
std::string names_of_variables(const std::map<std::string, std::string>& environment);

} // namespace builder
