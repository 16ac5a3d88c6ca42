// The build plan: which of the buildpacks that passed belong together (buildpack.md, "Build Plan"
// and "Phase #1: Detection"). Pure functions over values.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace buildpacks {

struct PlanEntry {
    std::string name;
    std::string metadata_json; // "{}" when there is none
};

struct PlanSection {
    std::vector<std::string> provides;
    std::vector<PlanEntry> requires_;
};

// One buildpack of a group that passed detection.
struct Candidate {
    std::string name; // "id@version", for explanations
    bool optional = false;
    std::vector<PlanSection> sections; // at least one
};

struct Trial {
    // For each candidate: the entries it must meet, in the order they were required; empty when
    // the candidate was dropped from the group.
    std::vector<std::optional<std::vector<PlanEntry>>> plans;
};

// The first combination of sections that works. Empty: none does; `why` then has one sentence for
// each thing that stood in the way in the last trial.
std::optional<Trial> resolve(const std::vector<Candidate>& candidates,
                             std::vector<std::string>& why);

} // namespace buildpacks
