// From a build's row to the worker's job, and the directories that it works in. Any thread.
#pragma once

#include "site.h"

#include "builder/job.h"

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
// The same two questions before a push is accepted.
void check_ready_for_builds(const Config& config, const StateDirectory& state, apps::Store& store,
                            const std::string& app);

} // namespace server
