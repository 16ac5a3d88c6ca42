// Phase 2: which buildpacks build this app. Every buildpack of the order is asked once, all of
// them side by side in the one sandbox; the first group that passes with a build plan wins
// (platform.md, "Detection").
#pragma once

#include "pipeline/reporter.h"
#include "workspace.h"

#include "base/stop.h"
#include "buildpacks/catalog.h"
#include "buildpacks/plan.h"
#include "engine/sandbox.h"

#include <vector>

namespace builder {

struct Member {
    const buildpacks::Buildpack* buildpack; // owned by the catalog
    std::vector<buildpacks::PlanEntry> plan;
};
using Group = std::vector<Member>;

// Throws Error{invalid_input} when no group passes, the table of reasons being in the log then.
Group detect(const buildpacks::Catalog& catalog, engine::Sandbox& sandbox,
             const Workspace& workspace, BuildUser user, const buildpacks::Variables& variables,
             Reporter& report, const base::Stop& stop);

} // namespace builder
