// From a build's row to the worker's job, and the directories that it works in. Any thread.
#pragma once

#include "site.h"

#include "builder/job.h"
#include "registry/host.h"

#include <optional>

namespace server {

struct JobSettings {
    const Config& config;
    const StateDirectory& state;
    apps::Store& store;
    ConfigVars& variables;
    const Registry& registry;
    std::filesystem::path launcher;
    std::vector<std::filesystem::path> buildpacks;
    base::Secret inputs_key = {}; // same_inputs.h
};

// Throws Error{invalid_input} when there is no stack, Error{limit_exceeded} without disk space.
builder::Job make_job(const JobSettings& settings, const apps::Build& build,
                      const builder::Source& source);
// The stack that an app builds on: its own where it has one that is still there. Throws
// Error{unavailable} when there is none.
apps::Stack stack_of(apps::Store& store, const std::string& app);
// Where the image of a build of `ref` goes, and what opens it for this build.
void add_registry(builder::Job& job, const Registry& registry, const apps::App& app,
                  const std::string& ref);
// What the server itself shows the registry; empty: nothing.
std::optional<builder::RegistryAccess> own_access(const Registry& registry);
registry::Settings own_settings(const Registry& registry, const std::filesystem::path& ca_file);
// The same two questions before a push is accepted.
void check_ready_for_builds(const Config& config, const StateDirectory& state, apps::Store& store,
                            const std::string& app);

} // namespace server
