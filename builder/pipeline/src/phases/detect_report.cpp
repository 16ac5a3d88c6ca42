#include "phases/detections.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

using base::json::Value;
using buildpacks::Detection;
using buildpacks::Verdict;

constexpr std::size_t most_lines = 8;           // of one buildpack's output in the log
constexpr std::size_t most_recorded_lines = 40; // of it in the record
constexpr std::size_t most_recorded_groups = 200;
constexpr std::size_t most_told_groups = 12;
constexpr std::size_t largest_record = 900u << 10;

std::string_view name_of(const Detections::Answer& answer) {
    if (!answer.reason.empty()) return "skipped";
    switch (answer.detection.verdict) {
    case Verdict::pass:
        return "pass";
    case Verdict::fail:
        return "fail";
    case Verdict::error:
        break;
    }
    return "error";
}

std::vector<std::string> lines_of(const std::string& output) {
    std::vector<std::string> lines;
    base::LineSplitter splitter([&](std::string_view line) {
        const auto text = base::trim(line);
        if (!text.empty()) lines.push_back(base::printable(text));
    });
    splitter.feed(output);
    splitter.finish();
    return lines;
}

// Extensions may have the id of a buildpack.
void mark(const buildpacks::Buildpack& one, Value& value) {
    if (one.role() == buildpacks::Role::extension) value["extension"] = true;
}

Value render_sections(const Detection& detection) {
    Value list = Value::array();
    for (const auto& section : detection.sections) {
        Value wanted = Value::array();
        for (const auto& entry : section.requires_) wanted.push_back(entry.name);
        list.push_back({{"provides", section.provides}, {"requires", wanted}});
    }
    return list;
}

Value render_answer(const Detections::Answer& answer) {
    const auto& info = answer.buildpack->info();
    const auto lines = lines_of(answer.detection.output);
    Value value{{"id", info.id}, {"version", info.version}, {"verdict", name_of(answer)}};
    mark(*answer.buildpack, value);
    if (!info.source.empty()) value["source"] = info.source;
    if (!answer.reason.empty()) {
        value["reason"] = answer.reason;
        return value;
    }
    value["exit_code"] = answer.detection.exit_code;
    value["output"] = std::vector(
        lines.begin(),
        lines.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), most_recorded_lines)));
    value["plan"] = render_sections(answer.detection);
    return value;
}

Value render_group(const TriedGroup& tried) {
    Value elements = Value::array();
    for (const auto& element : tried.elements) {
        elements.push_back(
            {{"id", element.id}, {"version", element.version}, {"optional", element.optional}});
        if (element.extension) elements.back()["extension"] = true;
    }
    return {{"group", elements},
            {"passed", tried.failed == TriedGroup::Failed::no},
            {"reasons", tried.reasons}};
}

Value render_member(const Member& member) {
    Value plan = Value::array();
    for (const auto& entry : member.plan) plan.push_back(entry.name);
    Value value{{"id", member.buildpack->info().id},
                {"version", member.buildpack->info().version},
                {"plan", plan}};
    mark(*member.buildpack, value);
    return value;
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size() + 2, width), ' ');
    return text;
}

std::string verdict_for_people(const Detections::Answer& answer) {
    if (!answer.reason.empty()) return "not asked: it " + answer.reason;
    const auto code = " (exit code " + std::to_string(answer.detection.exit_code) + ")";
    if (answer.detection.verdict == Verdict::pass) return "yes";
    if (answer.detection.exit_code == 0) return "error"; // in its plan
    return (answer.detection.verdict == Verdict::fail ? "no" : "error") + code;
}

// One line of output stands beside the verdict, more stand below it.
void tell_answer(const Detections::Answer& answer, Reporter& report) {
    const auto said = answer.detection.verdict == Verdict::pass ? std::vector<std::string>()
                                                                : lines_of(answer.detection.output);
    const bool beside = said.size() == 1;
    report.problem("  " + padded(answer.buildpack->info().id, 22) + verdict_for_people(answer) +
                   (beside ? "  " + said.front() : ""));
    if (beside) return;
    for (std::size_t i = 0; i < std::min(most_lines, said.size()); ++i)
        report.problem("      " + said[i]);
    if (said.size() > most_lines)
        report.problem("      ... and " + std::to_string(said.size() - most_lines) + " lines more");
}

std::string names_of(const TriedGroup& tried) {
    std::string names;
    for (const auto& element : tried.elements)
        names += (names.empty() ? "" : ", ") + element.id + (element.optional ? "?" : "");
    return names;
}

} // namespace

std::string render_record(const DetectInput& input, const Detections& detections,
                          const std::vector<TriedGroup>& tried, const DetectedGroup* chosen) {
    Value answers = Value::array(), groups = Value::array(), members = Value::array();
    for (const auto& answer : detections.all()) answers.push_back(render_answer(answer));
    for (const auto& group : tried)
        if (groups.size() < most_recorded_groups) groups.push_back(render_group(group));
    if (chosen)
        for (const auto* some : {&chosen->extensions, &chosen->buildpacks})
            for (const auto& member : *some) members.push_back(render_member(member));
    Value record{{"rule", input.rule},          {"target", buildpacks::render(input.target)},
                 {"passed", chosen != nullptr}, {"chosen", members},
                 {"buildpacks", answers},       {"groups", groups},
                 {"groups_tried", tried.size()}};
    auto rendered = base::json::render(record);
    if (rendered.size() <= largest_record) return rendered;
    for (auto& answer : record["buildpacks"]) answer["plan"] = Value::array(); // strangers' words
    for (auto& member : record["chosen"]) member["plan"] = Value::array();
    for (auto& group : record["groups"]) group["reasons"] = Value::array();
    return base::json::render(record);
}

void describe(const Detections& detections, Reporter& report) {
    for (const auto& answer : detections.all()) {
        report.body(answer.buildpack->info().full_name() + ": " + std::string(name_of(answer)) +
                    (answer.reason.empty() ? "" : ", it " + answer.reason));
        const auto lines = lines_of(answer.detection.output);
        for (std::size_t i = 0; i < std::min(lines.size(), most_lines); ++i)
            report.body("  " + lines[i]);
    }
}

void explain(const Detections& detections, const std::vector<TriedGroup>& tried, Reporter& report) {
    report.problem("No buildpack can build this app. What each of them said:");
    report.problem("");
    for (const auto& answer : detections.all()) tell_answer(answer, report);
    std::size_t told = 0;
    for (const auto& group : tried) {
        if (group.failed != TriedGroup::Failed::plan || ++told > most_told_groups) continue;
        report.problem("  The plan of " + names_of(group) + ":");
        for (const auto& reason : group.reasons) report.problem("    " + reason);
    }
    report.problem("");
}

} // namespace builder
