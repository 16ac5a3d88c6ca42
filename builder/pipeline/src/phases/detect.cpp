#include "phases/detect.h"

#include "base/error.h"
#include "base/text.h"
#include "buildpacks/environment.h"

#include <map>

namespace builder {
namespace {

using buildpacks::Buildpack;
using buildpacks::Detection;
using buildpacks::Verdict;

constexpr std::size_t longest_output = 64u << 10; // of one detection

// Every buildpack that the order names, once, with what it said.
class Detections {
  public:
    Detections(const buildpacks::Catalog& catalog) {
        for (const auto& group : catalog.order())
            for (const auto& element : group) {
                const auto* buildpack = &catalog.find(element);
                if (index_.emplace(buildpack, tried_.size()).second) tried_.push_back(buildpack);
            }
    }

    void run(engine::Sandbox& sandbox, const Workspace& workspace, BuildUser user,
             const buildpacks::Variables& variables, const base::Stop& stop) {
        std::vector<engine::Invocation> invocations;
        for (std::size_t i = 0; i < tried_.size(); ++i) {
            const auto slot = workspace.plans / std::to_string(i);
            std::filesystem::create_directory(slot);
            give_to(slot, user);
            invocations.push_back(tried_[i]->detect(
                workspace.inside, workspace.inside.scratch + "/" + std::to_string(i),
                tried_[i]->environment(variables)));
        }
        std::vector<std::string> outputs(tried_.size());
        const auto results = sandbox.run_all(
            invocations,
            [&](std::size_t i, std::string_view bytes) {
                const auto room = longest_output - std::min(longest_output, outputs[i].size());
                outputs[i].append(bytes.substr(0, room));
            },
            stop);
        for (std::size_t i = 0; i < tried_.size(); ++i)
            detections_.push_back(tried_[i]->read_detection(
                results[i].status, std::move(outputs[i]), workspace.plans / std::to_string(i)));
    }

    const Detection& of(const Buildpack* buildpack) const {
        return detections_[index_.at(buildpack)];
    }

    const std::vector<const Buildpack*>& tried() const { return tried_; }

  private:
    std::vector<const Buildpack*> tried_;
    std::map<const Buildpack*, std::size_t> index_;
    std::vector<Detection> detections_;
};

// One group of the order; empty when it does not pass. why: what the plan lacked.
std::optional<Group> try_group(const buildpacks::Catalog& catalog,
                               const buildpacks::OrderGroup& order, const Detections& detections,
                               std::vector<std::string>& why) {
    std::vector<const Buildpack*> passed;
    std::vector<buildpacks::Candidate> candidates;
    for (const auto& element : order) {
        const auto& buildpack = catalog.find(element);
        const auto& detection = detections.of(&buildpack);
        if (detection.verdict != Verdict::pass) {
            if (!element.optional) return std::nullopt;
            continue;
        }
        passed.push_back(&buildpack);
        candidates.push_back({buildpack.info().full_name(), element.optional, detection.sections});
    }
    if (passed.empty()) return std::nullopt;
    const auto trial = buildpacks::resolve(candidates, why);
    if (!trial) return std::nullopt;
    Group group;
    for (std::size_t i = 0; i < passed.size(); ++i)
        if (trial->plans[i]) group.push_back({passed[i], *trial->plans[i]});
    return group;
}

std::string first_line(const std::string& output) {
    const auto text = base::trim(output);
    return base::trim(text.substr(0, text.find('\n')));
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size() + 2, width), ' ');
    return text;
}

std::string verdict_of(const Detection& detection) {
    if (detection.verdict == Verdict::pass) return "yes";
    if (detection.verdict == Verdict::fail) return "no";
    return "error (exit code " + std::to_string(detection.exit_code) + ")";
}

void tell(const Buildpack& buildpack, const Detection& detection, Reporter& report) {
    const auto& info = buildpack.info();
    report.body(info.id + " " + info.version +
                (detection.name.empty() ? "" : ": " + detection.name + " app detected"));
}

void explain(const Detections& detections, const std::vector<std::string>& why, Reporter& report) {
    report.problem("No buildpack can build this app. What each of them said:");
    report.problem("");
    for (const auto* buildpack : detections.tried()) {
        const auto& detection = detections.of(buildpack);
        report.problem("  " + padded(buildpack->info().id, 22) + padded(verdict_of(detection), 6) +
                       first_line(detection.output));
    }
    for (const auto& reason : why) report.problem("  " + reason);
    report.problem("");
}

} // namespace

Group detect(const buildpacks::Catalog& catalog, engine::Sandbox& sandbox,
             const Workspace& workspace, BuildUser user, const buildpacks::Variables& variables,
             Reporter& report, const base::Stop& stop) {
    Detections detections(catalog);
    detections.run(sandbox, workspace, user, variables, stop);
    std::vector<std::string> why;
    for (const auto& order : catalog.order())
        if (auto group = try_group(catalog, order, detections, why)) {
            for (const auto& member : *group)
                tell(*member.buildpack, detections.of(member.buildpack), report);
            return *group;
        }
    explain(detections, why, report);
    throw base::Error(base::ErrorKind::invalid_input, "no buildpack can build this app",
                      "Add the file that your language's buildpack looks for (at the root of the "
                      "repository), or a Procfile.");
}

} // namespace builder
