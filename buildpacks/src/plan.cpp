#include "buildpacks/plan.h"

#include <algorithm>

namespace buildpacks {
namespace {

// Combinations multiply; nothing real comes near this.
constexpr std::size_t most_trials = 100'000;

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

bool needs(const PlanSection& section, const std::string& name) {
    return std::any_of(section.requires_.begin(), section.requires_.end(),
                       [&](const PlanEntry& entry) { return entry.name == name; });
}

// One combination: a section for each candidate, candidates leaving until it is stable.
class Attempt {
  public:
    Attempt(const std::vector<Candidate>& candidates, const std::vector<std::size_t>& choice)
        : candidates_(candidates), choice_(choice), present_(candidates.size(), true) {}

    bool settle(std::vector<std::string>& why) {
        why.clear();
        for (bool changed = true; changed;) {
            changed = false;
            for (std::size_t i = 0; i < candidates_.size(); ++i) {
                if (!present_[i]) continue;
                const auto problem = problem_of(i);
                if (problem.empty()) continue;
                why.push_back(problem);
                if (!may_leave(i)) return false;
                present_[i] = false;
                changed = true;
            }
        }
        return std::find(present_.begin(), present_.end(), true) != present_.end();
    }

    Trial result() const {
        Trial trial;
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            trial.plans.push_back(present_[i] ? std::optional(entries_for(i)) : std::nullopt);
        return trial;
    }

  private:
    const PlanSection& section(std::size_t i) const { return candidates_[i].sections[choice_[i]]; }

    // The lifecycle counts `optional` only on the last of a buildpack's alternatives: the others
    // have something left to try.
    bool may_leave(std::size_t i) const {
        return candidates_[i].optional && choice_[i] + 1 == candidates_[i].sections.size();
    }

    // A provider stands at or before the one that requires.
    std::string problem_of(std::size_t i) const {
        for (const auto& entry : section(i).requires_) {
            bool met = false;
            for (std::size_t j = 0; j <= i && !met; ++j)
                met = present_[j] && contains(section(j).provides, entry.name);
            if (!met)
                return candidates_[i].name + " requires \"" + entry.name +
                       "\", which nothing before it provides";
        }
        for (const auto& name : section(i).provides) {
            bool wanted = false;
            for (std::size_t j = i; j < candidates_.size() && !wanted; ++j)
                wanted = present_[j] && needs(section(j), name);
            if (!wanted)
                return candidates_[i].name + " provides \"" + name +
                       "\", which nothing after it requires";
        }
        return {};
    }

    std::vector<PlanEntry> entries_for(std::size_t i) const {
        std::vector<PlanEntry> entries; // of the whole group: an earlier provider may leave some
        for (std::size_t j = 0; j < candidates_.size(); ++j) {
            if (!present_[j]) continue;
            for (const auto& entry : section(j).requires_)
                if (contains(section(i).provides, entry.name)) entries.push_back(entry);
        }
        return entries;
    }

    const std::vector<Candidate>& candidates_;
    const std::vector<std::size_t>& choice_;
    std::vector<bool> present_;
};

// The next combination, the last candidate's section varying fastest; false after the last one.
bool advance(std::vector<std::size_t>& choice, const std::vector<Candidate>& candidates) {
    for (std::size_t i = choice.size(); i-- > 0;) {
        if (++choice[i] < candidates[i].sections.size()) return true;
        choice[i] = 0;
    }
    return false;
}

} // namespace

std::optional<Trial> resolve(const std::vector<Candidate>& candidates,
                             std::vector<std::string>& why) {
    std::vector<std::size_t> choice(candidates.size(), 0);
    for (std::size_t trial = 0; trial < most_trials; ++trial) {
        Attempt attempt(candidates, choice);
        if (attempt.settle(why)) return attempt.result();
        if (!advance(choice, candidates)) break;
    }
    return std::nullopt;
}

} // namespace buildpacks
