// What buildpacks answered when they were asked, and why groups did not pass: made by detect, told
// by its report. Owned by the thread that detects.
#pragma once

#include "phases/detect.h"

#include <map>
#include <optional>

namespace builder {

class Detections {
  public:
    Detections(const DetectInput& input, const base::SecretMask& mask)
        : input_(input), mask_(mask) {}

    // Asks those of the groups that were not asked yet, side by side.
    void ask(const std::vector<buildpacks::OrderGroup>& groups, const base::Stop& stop);

    struct Answer {
        const buildpacks::Buildpack* buildpack;
        buildpacks::Detection detection;
        std::string reason; // why it was not even asked; else empty
    };
    const Answer& of(const buildpacks::Buildpack& buildpack) const;
    const std::vector<Answer>& all() const { return answers_; } // in the order of the order

  private:
    void run(const std::vector<std::size_t>& asked, const base::Stop& stop);

    const DetectInput& input_;
    const base::SecretMask& mask_;
    std::vector<Answer> answers_;
    std::map<const buildpacks::Buildpack*, std::size_t> index_;
};

struct TriedGroup {
    buildpacks::OrderGroup elements;
    enum class Failed { no, buildpacks, plan } failed = Failed::no;
    std::vector<std::string> reasons;
};

// The record as JSON, and the same for a person after no group passed.
std::string render_record(const DetectInput& input, const Detections& detections,
                          const std::vector<TriedGroup>& tried, const DetectedGroup* chosen);
// What each of them said, when one was found.
void describe(const Detections& detections, Reporter& report);
void explain(const Detections& detections, const std::vector<TriedGroup>& tried, Reporter& report);

} // namespace builder
