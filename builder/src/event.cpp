#include "builder/event.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <array>

namespace builder {
namespace {

using base::json::Value;

constexpr std::array phase_names{"fetch", "detect", "restore", "build", "export", "publish"};

Phase get_phase(const Value& value) {
    const auto name = base::json::get_string(value, "phase");
    if (const auto phase = parse_phase(name)) return *phase;
    throw base::Error(base::ErrorKind::invalid_input, "there is no phase \"" + name + "\"");
}

Value render_published(const Published& published) {
    Value processes = Value::array();
    for (const auto& process : published.processes)
        processes.push_back({{"type", process.type},
                             {"command", process.command},
                             {"default", process.is_default}});
    Value value{{"outcome", "published"},
                {"reference", published.reference},
                {"digest", published.digest},
                {"size", published.size},
                {"processes", processes}};
    if (!published.inputs.empty()) value["inputs"] = published.inputs;
    if (!published.same_as.empty()) value["same_as"] = published.same_as;
    return value;
}

template <class Failure>
Value render_failure(std::string_view name, const Failure& failure) {
    return {{"outcome", name},
            {"phase", to_string(failure.phase)},
            {"kind", base::to_string(failure.kind)},
            {"reason", failure.reason},
            {"hint", failure.hint}};
}

Value to_json(const Outcome& outcome) {
    Value value;
    if (const auto* published = std::get_if<Published>(&outcome))
        value = render_published(*published);
    if (const auto* refused = std::get_if<Refused>(&outcome))
        value = render_failure("refused", *refused);
    if (const auto* broken = std::get_if<Broken>(&outcome))
        value = render_failure("broken", *broken);
    if (const auto* cancelled = std::get_if<Cancelled>(&outcome))
        value = {{"outcome", "cancelled"}, {"why", cancelled->why}};
    if (const auto* detected = std::get_if<Detected>(&outcome))
        value = {{"outcome", "detected"}, {"group", detected->group}};
    value["event"] = "outcome";
    return value;
}

Published parse_published(const Value& value) {
    Published published;
    published.reference = base::json::get_string(value, "reference");
    published.digest = base::json::get_string(value, "digest");
    published.size = static_cast<std::uint64_t>(base::json::get_integer(value, "size"));
    published.inputs = base::json::find_string(value, "inputs").value_or("");
    published.same_as = base::json::find_string(value, "same_as").value_or("");
    if (const auto it = value.find("processes"); it != value.end())
        for (const auto& process : *it)
            published.processes.push_back({base::json::get_string(process, "type"),
                                           base::json::get_string(process, "command"),
                                           base::json::find_bool(process, "default", false)});
    return published;
}

template <class Failure>
Failure parse_failure(const Value& value) {
    return {get_phase(value),
            base::parse_error_kind(base::json::get_string(value, "kind"))
                .value_or(base::ErrorKind::internal),
            base::json::get_string(value, "reason"),
            base::json::find_string(value, "hint").value_or("")};
}

Outcome parse_outcome(const Value& value) {
    const auto name = base::json::get_string(value, "outcome");
    if (name == "published") return parse_published(value);
    if (name == "refused") return parse_failure<Refused>(value);
    if (name == "broken") return parse_failure<Broken>(value);
    if (name == "cancelled") return Cancelled{base::json::get_string(value, "why")};
    if (name == "detected") return Detected{base::json::get_strings(value, "group")};
    throw base::Error(base::ErrorKind::invalid_input, "there is no outcome \"" + name + "\"");
}

} // namespace

std::string_view to_string(Phase phase) noexcept {
    return phase_names[static_cast<std::size_t>(phase)];
}

std::optional<Phase> parse_phase(std::string_view name) noexcept {
    for (std::size_t i = 0; i < phase_names.size(); ++i)
        if (phase_names[i] == name) return static_cast<Phase>(i);
    return std::nullopt;
}

std::string render(const Event& event) {
    Value value;
    if (const auto* line = std::get_if<LogLine>(&event))
        value = {{"event", "log"}, {"text", line->text}};
    if (const auto* started = std::get_if<PhaseStarted>(&event))
        value = {{"event", "phase"}, {"phase", to_string(started->phase)}, {"state", "started"}};
    if (const auto* finished = std::get_if<PhaseFinished>(&event))
        value = {{"event", "phase"},
                 {"phase", to_string(finished->phase)},
                 {"state", "finished"},
                 {"milliseconds", finished->milliseconds}};
    if (const auto* record = std::get_if<Record>(&event))
        value = {{"event", "record"},
                 {"record", record->name},
                 {"value", base::json::parse(record->json, "a record")}};
    if (const auto* outcome = std::get_if<Outcome>(&event)) value = to_json(*outcome);
    return base::json::render(value);
}

Event parse_event(std::string_view line) {
    const Value value = base::json::parse(line, "a worker's event");
    const auto name = base::json::get_string(value, "event");
    if (name == "log") return LogLine{base::json::get_string(value, "text")};
    if (name == "outcome") return parse_outcome(value);
    if (name == "record")
        return Record{base::json::get_string(value, "record"), value.at("value").dump()};
    if (name != "phase")
        throw base::Error(base::ErrorKind::invalid_input, "there is no event \"" + name + "\"");
    if (base::json::get_string(value, "state") == "started") return PhaseStarted{get_phase(value)};
    return PhaseFinished{get_phase(value), base::json::get_integer(value, "milliseconds")};
}

} // namespace builder
