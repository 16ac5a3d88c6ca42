#include "phases/detections.h"

#include "buildpacks/environment.h"

#include <algorithm>

namespace builder {
namespace {

using buildpacks::Buildpack;
using buildpacks::Verdict;

constexpr std::size_t longest_output = 64u << 10; // of one detection

} // namespace

const Detections::Answer& Detections::of(const Buildpack& buildpack) const {
    return answers_[index_.at(&buildpack)];
}

void Detections::ask(const std::vector<buildpacks::OrderGroup>& groups, const base::Stop& stop) {
    std::vector<std::size_t> asked;
    for (const auto& group : groups)
        for (const auto& element : group) {
            const auto& buildpack = input_.catalog.find(element);
            if (!index_.emplace(&buildpack, answers_.size()).second) continue;
            Answer answer{&buildpack, {}, {}};
            if (!buildpacks::satisfies(input_.target, buildpack.info()))
                answer.reason = "is not for " + buildpacks::render(input_.target);
            else if (buildpack.has_detect())
                asked.push_back(answers_.size());
            else
                answer.detection = buildpack.read_detection({}, {}, {});
            answers_.push_back(std::move(answer));
        }
    if (!asked.empty()) run(asked, stop);
}

void Detections::run(const std::vector<std::size_t>& asked, const base::Stop& stop) {
    const auto& places = input_.workspace;
    std::vector<engine::Invocation> invocations;
    for (const auto number : asked) {
        const auto slot = std::to_string(number);
        std::filesystem::create_directory(places.plans / slot);
        give_to(places.plans / slot, input_.user);
        const auto& buildpack = *answers_[number].buildpack;
        invocations.push_back(buildpack.detect(places.inside, places.inside.scratch + "/" + slot,
                                               buildpack.environment(input_.variables)));
    }
    std::vector<std::string> outputs(asked.size());
    std::vector<base::SecretMask::Stream> masked;
    for (auto& output : outputs)
        masked.emplace_back(mask_, [&output](std::string_view text) {
            output.append(text.substr(0, longest_output - std::min(longest_output, output.size())));
        });
    const auto results = input_.sandbox.run_all(
        invocations, [&](std::size_t i, std::string_view bytes) { masked[i].feed(bytes); }, stop);
    for (auto& output : masked) output.finish();
    for (std::size_t i = 0; i < asked.size(); ++i) {
        auto& answer = answers_[asked[i]];
        answer.detection = answer.buildpack->read_detection(
            results[i].status, std::move(outputs[i]), places.plans / std::to_string(asked[i]));
    }
}

} // namespace builder
