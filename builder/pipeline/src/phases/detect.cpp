#include "phases/detect.h"

#include "phases/detections.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>

namespace builder {
namespace {

using buildpacks::OrderElement;
using buildpacks::OrderGroup;
using buildpacks::Role;
using buildpacks::Verdict;

// So many buildpacks are asked at once, beyond the end of a group: a sandbox command costs a
// millisecond, a wait for the slowest of each group in turn costs more. A builder with hundreds of
// buildpacks is asked in waves.
constexpr std::size_t wave = 24;

// The order of the extensions is prepended to that of the buildpacks (buildpack.md, "Order
// Resolution"): at the head of each group stands what is like an optional composite.
const OrderElement extensions{.id = "", .version = "", .optional = true, .extension = true};

buildpacks::Order whole_order(const buildpacks::Catalog& catalog) {
    auto order = catalog.order();
    if (!catalog.extension_order().empty())
        for (auto& group : order) group.insert(group.begin(), extensions);
    return order;
}

// All groups, composites expanded, without the buildpacks that are for another execution
// environment (platform.md: those leave the group).
std::vector<OrderGroup> expand(const DetectInput& input) {
    std::vector<OrderGroup> groups;
    const auto& catalog = input.catalog;
    buildpacks::for_each_group(
        whole_order(catalog), catalog.system(),
        [&](const OrderElement& element) {
            const bool stands_for_all = element.extension && element.id.empty();
            return stands_for_all ? &catalog.extension_order() : catalog.order_of(element);
        },
        [&](const OrderGroup& group) {
            OrderGroup here;
            for (const auto& element : group)
                if (buildpacks::works_in(input.execution_env, element.execution_envs) &&
                    buildpacks::works_in(input.execution_env, catalog.find(element).info()))
                    here.push_back(element);
            groups.push_back(std::move(here));
            return false;
        });
    return groups;
}

class GroupTrial {
  public:
    GroupTrial(const DetectInput& input, const Detections& detections, TriedGroup& tried)
        : input_(input), detections_(detections), tried_(tried) {}

    // Empty when the group does not pass; tried_.reasons then says why.
    std::optional<DetectedGroup> run() {
        for (const auto& element : tried_.elements) take(element);
        const bool passed = std::any_of(passed_.begin(), passed_.end(), is_buildpack);
        if (tried_.reasons.empty() && !passed)
            tried_.reasons.push_back("none of its buildpacks passed");
        if (!tried_.reasons.empty()) return failed(TriedGroup::Failed::buildpacks);
        const auto trial = buildpacks::resolve(candidates_, tried_.reasons);
        if (!trial) return failed(TriedGroup::Failed::plan);
        DetectedGroup group;
        for (std::size_t i = 0; i < passed_.size(); ++i) {
            if (!trial->plans[i]) continue;
            auto& members = is_buildpack(passed_[i]) ? group.buildpacks : group.extensions;
            members.push_back({passed_[i], *trial->plans[i]});
        }
        if (group.buildpacks.empty()) return failed(TriedGroup::Failed::plan);
        tried_.reasons.clear(); // of what only left the group
        return group;
    }

  private:
    static bool is_buildpack(const buildpacks::Buildpack* one) {
        return one->role() == Role::buildpack;
    }

    std::optional<DetectedGroup> failed(TriedGroup::Failed why) {
        tried_.failed = why;
        return std::nullopt;
    }

    void take(const buildpacks::OrderElement& element) {
        const auto& buildpack = input_.catalog.find(element);
        const auto& answer = detections_.of(buildpack);
        const auto name = buildpack.info().full_name();
        if (!answer.reason.empty()) {
            if (!element.optional) tried_.reasons.push_back(name + " " + answer.reason);
            return;
        }
        if (answer.detection.verdict == Verdict::pass) {
            passed_.push_back(&buildpack);
            candidates_.push_back({name, element.optional, answer.detection.sections});
        } else if (!element.optional) {
            tried_.reasons.push_back(name + (answer.detection.verdict == Verdict::fail
                                                 ? " did not pass"
                                                 : " failed to detect"));
        }
    }

    const DetectInput& input_;
    const Detections& detections_;
    TriedGroup& tried_;
    std::vector<const buildpacks::Buildpack*> passed_;
    std::vector<buildpacks::Candidate> candidates_;
};

// The groups from `first` on that are asked together.
std::vector<OrderGroup> next_wave(const std::vector<OrderGroup>& groups, std::size_t first) {
    std::vector<OrderGroup> together;
    std::size_t size = 0;
    for (std::size_t i = first; i < groups.size() && (together.empty() || size < wave); ++i) {
        together.push_back(groups[i]);
        size += groups[i].size();
    }
    return together;
}

void tell(const buildpacks::Buildpack& buildpack, const std::string& name, Reporter& report) {
    const auto& info = buildpack.info();
    report.body(info.id + " " + info.version + (name.empty() ? "" : ": " + name + " app detected"));
}

[[noreturn]] void fail(const DetectInput& input, const Detections& detections,
                       const std::vector<TriedGroup>& tried) {
    if (input.order == DetectInput::Order::given)
        for (const auto& answer : detections.all())
            if (answer.buildpack->role() == Role::buildpack &&
                (answer.detection.verdict != Verdict::pass || !answer.reason.empty()))
                throw base::Error(base::ErrorKind::invalid_input,
                                  "the buildpack " + answer.buildpack->info().full_name() +
                                      " cannot build this app",
                                  "It was chosen by " + input.rule +
                                      ". The lines above show what it said.");
    const bool empty = tried.empty();
    if (input.order == DetectInput::Order::given && !empty)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the chosen buildpacks cannot build this app together",
                          "They were chosen by " + input.rule +
                              ". The lines above show what their build plans lack.");
    throw base::Error(base::ErrorKind::invalid_input,
                      empty ? "there is no buildpack to try" : "no buildpack can build this app",
                      empty ? "The order of the buildpacks is empty; its operator can mend that."
                            : "Add the file that your language's buildpack looks for (at the root "
                              "of the repository), or a Procfile.");
}

} // namespace

DetectedGroup detect(const DetectInput& input, Reporter& report, const base::Stop& stop) {
    const auto groups = expand(input);
    Detections detections(input, report.mask());
    std::vector<TriedGroup> tried;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (i == asked) {
            const auto together = next_wave(groups, i);
            detections.ask(together, stop);
            asked += together.size();
        }
        tried.push_back({.elements = groups[i]});
        if (auto group = GroupTrial(input, detections, tried.back()).run()) {
            report.send(Record{"detection", render_record(input, detections, tried, &*group)});
            if (input.verbose) describe(detections, report);
            for (const auto* members : {&group->extensions, &group->buildpacks})
                for (const auto& member : *members)
                    tell(*member.buildpack, detections.of(*member.buildpack).detection.name,
                         report);
            return *group;
        }
    }
    report.send(Record{"detection", render_record(input, detections, tried, nullptr)});
    explain(detections, tried, report);
    fail(input, detections, tried);
}

} // namespace builder
