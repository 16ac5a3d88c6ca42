// Phase 2: which buildpacks build this app. The buildpacks of the order's groups are asked, each
// once, many side by side in the one sandbox; the first group that passes with a build plan wins
// (platform.md, "Detection"). All that was asked and answered is a Record (docs/buildpacks/
// detection.md), and on failure in the log.
#pragma once

#include "pipeline/reporter.h"
#include "workspace.h"

#include "base/stop.h"
#include "buildpacks/catalog.h"
#include "buildpacks/plan.h"
#include "buildpacks/target.h"
#include "engine/sandbox.h"

#include <vector>

namespace builder {

struct Member {
    const buildpacks::Buildpack* buildpack; // owned by the catalog
    std::vector<buildpacks::PlanEntry> plan;
    // A file of the app without which it does not build; null: it builds in any case.
    const char* only_with = nullptr;
};
using Group = std::vector<Member>;

// What passed: image extensions and buildpacks, each in order.
struct DetectedGroup {
    Group extensions;
    Group buildpacks;
};

struct DetectInput {
    const buildpacks::Catalog& catalog;
    engine::Sandbox& sandbox;
    const Workspace& workspace;
    BuildUser user;
    const buildpacks::Variables& variables;
    buildpacks::Target target; // of the run image
    std::string execution_env = "production";
    std::string rule; // who decided about the order, for the record
    enum class Order { automatic, given } order = Order::automatic; // given: one group, by name
    bool verbose = false; // what each buildpack said is in the log on success too
};

// Throws Error{invalid_input} when no group passes, the table of reasons being in the log then.
DetectedGroup detect(const DetectInput& input, Reporter& report, const base::Stop& stop);

} // namespace builder
