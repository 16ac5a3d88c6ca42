// Between fetch and detect: which buildpacks are tried. Reads the choice that the app or somebody
// else made (sources/choice.h), brings what it names, and leaves a catalog whose order detection
// goes through.
#pragma once

#include "pipeline/reporter.h"
#include "workspace.h"

#include "base/stop.h"
#include "builder/job.h"
#include "buildpacks/catalog.h"
#include "registry/repository.h"
#include "sources/choice.h"

namespace builder {

inline constexpr const char* procfile_buildpack = "slipway/procfile";

struct ChooseInput {
    const Job& job; // its environment: BUILDPACK_URL, BUILDPACK_NAME
    const Workspace& workspace;
    const registry::Settings& registry;
    std::vector<sources::ParentJson> parents_json; // sources::Question
};

// Says in the log which rule decided. Takes the files out of the app that project.toml excludes.
// Throws Error{invalid_input | limit_exceeded | timed_out} for what whoever chose can mend,
// Error{unavailable} when a source cannot be reached.
sources::Choice choose_buildpacks(const ChooseInput& input, buildpacks::Catalog& catalog,
                                  Reporter& report, const base::Stop& stop);

// The job's environment over the one of project.toml.
void merge_environment(const sources::Choice& choice, Job& job);

} // namespace builder
