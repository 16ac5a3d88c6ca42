#include "detection.h"

#include "context.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace cli {
namespace {

using base::json::Value;
using Line = std::function<void(const std::string&)>;

std::string name_of(const Value& element) {
    const auto version = text_of(element, "version");
    return text_of(element, "id") + (version.empty() ? "" : " " + version);
}

std::string verdict_of(const Value& buildpack) {
    const auto verdict = text_of(buildpack, "verdict");
    if (verdict == "pass") return "yes";
    if (verdict == "skipped") return "not asked: it " + text_of(buildpack, "reason");
    const auto code = base::json::find_integer(buildpack, "exit_code").value_or(0);
    return (verdict == "fail" ? "no" : "error") + (" (exit code " + std::to_string(code) + ")");
}

void tell_plan(const Value& buildpack, const Line& line) {
    const auto sections = buildpack.value("plan", Value::array());
    for (std::size_t i = 0; i < sections.size(); ++i) {
        std::string text;
        for (const char* word : {"provides", "requires"}) {
            std::string names;
            for (const auto& name : sections[i].at(word))
                names += (names.empty() ? "" : ", ") + base::printable(name.get<std::string>());
            if (!names.empty()) text += (text.empty() ? "" : "; ") + (word + (" " + names));
        }
        if (!text.empty()) line((i == 0 ? "      " : "      or ") + text);
    }
}

void tell_buildpack(const Value& buildpack, const Line& line) {
    line("  " + name_of(buildpack) + ": " + verdict_of(buildpack));
    for (const auto& text : buildpack.value("output", Value::array()))
        line("      | " + base::printable(text.get<std::string>()));
    tell_plan(buildpack, line);
}

void tell_group(const Value& group, const Line& line) {
    std::string names;
    for (const auto& element : group.at("group")) {
        names += (names.empty() ? "" : ", ") + text_of(element, "id");
        if (base::json::find_bool(element, "optional", false)) names += "?";
    }
    const bool passed = base::json::find_bool(group, "passed", false);
    line("  " + names + (passed ? ": passed" : ": did not pass"));
    for (const auto& reason : group.at("reasons"))
        line("      " + base::printable(reason.get<std::string>()));
}

} // namespace

void tell_detection(const Value& record, const Line& line) {
    line("Decided by " + text_of(record, "rule"));
    line("Buildpacks for " + text_of(record, "target") + ", and what each said:");
    for (const auto& buildpack : record.at("buildpacks")) tell_buildpack(buildpack, line);
    line("Groups, in their order (? is optional):");
    for (const auto& group : record.at("groups")) tell_group(group, line);
    std::string chosen;
    for (const auto& member : record.at("chosen"))
        chosen += (chosen.empty() ? "" : ", ") + name_of(member);
    line(chosen.empty() ? "No group passed" : "Chosen: " + chosen);
}

void print_detection(const Value& record) {
    tell_detection(record, [](const std::string& line) { print_line(line); });
}

} // namespace cli
