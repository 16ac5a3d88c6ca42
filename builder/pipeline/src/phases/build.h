// Phase 4: the group's buildpacks build, one after another, each seeing what the layers of those
// before it add to the environment (buildpack.md, "Build"). Image extensions generate the same way
// (phases/generate.h).
#pragma once

#include "phases/detect.h"

#include <string>
#include <vector>

namespace builder {

struct BuiltMember {
    const buildpacks::Buildpack* buildpack;
    buildpacks::Built built;
};

class BuildPhase {
  public:
    // Limits, workspace and report are borrowed for the phase's time.
    BuildPhase(const JobLimits& limits, const Workspace& workspace, BuildUser user,
               buildpacks::Variables variables, Reporter& report);

    // finished: gets each member as soon as it has built. Throws Error{buildpack_failed} when one
    // fails, Error{timed_out} past a limit; the log then says which, and what it said last.
    void run(const Group& group, engine::Sandbox& sandbox, std::vector<BuiltMember>& finished,
             const base::Stop& stop);

  private:
    void run_members(const Group& group, engine::Sandbox& sandbox,
                     std::vector<BuiltMember>& finished, const base::Stop& stop);
    void run_member(const Member& member, std::size_t index, engine::Sandbox& sandbox,
                    const base::Stop& stop);
    engine::Invocation prepare(const Member& member, std::size_t index) const;
    void keep_report(const Member& member, std::size_t index);
    buildpacks::HostPlaces places(const Member& member, std::size_t index) const;
    void settle_plan(const Member& member, const buildpacks::Built& built);
    buildpacks::Built accept(const Member& member, std::size_t index);

    const JobLimits& limits_;
    const Workspace& workspace_;
    BuildUser user_;
    buildpacks::Variables variables_; // its base grows with each member's build layers
    Reporter& report_;
    std::vector<std::string> reports_; // JSON of those that gave one
    std::vector<std::string> met_;     // plan entries that nobody needs to meet any more
};

} // namespace builder
