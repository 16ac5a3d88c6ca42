#include "phases/build.h"

#include "bills_of_materials.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/environment.h"
#include "watchdog.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <fcntl.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;

// So many are told again after a failure, when there were more: fewer still stand right above.
constexpr std::size_t last_lines = 10;
constexpr std::size_t largest_record = 900u << 10;

// A buildpack's output on its way to the log; remembers the end of it.
class OutputLines {
  public:
    explicit OutputLines(Reporter& report)
        : report_(report), splitter_([this](std::string_view line) { take(line); }),
          masked_(report.mask(), [this](std::string_view text) { splitter_.feed(text); }) {}

    void feed(std::string_view bytes) { masked_.feed(bytes); }
    void finish() {
        masked_.finish();
        splitter_.finish();
    }
    // Empty when all there was stands on the screen anyway.
    const std::deque<std::string>& last() const {
        static const std::deque<std::string> none;
        return count_ > last_lines ? last_ : none;
    }

  private:
    void take(std::string_view line) {
        report_.body(line);
        ++count_;
        last_.emplace_back(line);
        if (last_.size() > last_lines) last_.pop_front();
    }

    Reporter& report_;
    std::deque<std::string> last_;
    std::size_t count_ = 0;
    base::LineSplitter splitter_;
    base::SecretMask::Stream masked_; // before lines are cut: a secret may lie across a cut
};

// Why a buildpack failed, and what to do about it.
struct Failure {
    base::ErrorKind kind;
    std::string reason;
    std::string hint;
};

std::string seconds(std::chrono::seconds time) {
    return base::human_duration(time.count() * 1000);
}

Failure failure_of(const engine::Result& result, const JobLimits& limits) {
    if (result.cause == engine::Cause::out_of_memory)
        return {ErrorKind::buildpack_failed,
                "ran out of memory (the limit is " + base::human_bytes(limits.memory_bytes) + ")",
                "Make the build need less memory, or ask the operator to raise sandbox.memory."};
    if (result.cause == engine::Cause::too_many_processes)
        return {ErrorKind::buildpack_failed,
                "started too many processes (the limit is " + std::to_string(limits.pids) + ")",
                "Make the build start fewer processes, or ask the operator to raise sandbox.pids."};
    return {ErrorKind::buildpack_failed, "ended with " + result.status.describe(),
            "Mend what the lines above say, commit and push again."};
}

// Why the sandbox was stopped under a buildpack; empty when somebody asked for it.
std::optional<Failure> failure_of(const Watchdog& watchdog, const base::Stop& job,
                                  const JobLimits& limits) {
    if (watchdog.was_silent())
        return Failure{ErrorKind::timed_out,
                       "said nothing for " + seconds(limits.silence) + " and was ended",
                       "Find out what it waits for: a build is never given input."};
    if (!job.requested() && job.expired())
        return Failure{ErrorKind::timed_out,
                       "was ended: the build took longer than " + seconds(limits.time),
                       "Make the build faster, or ask the operator to raise sandbox.time."};
    return std::nullopt;
}

[[noreturn]] void fail(const std::string& name, const Failure& failure,
                       const std::deque<std::string>& last, Reporter& report) {
    if (!last.empty()) report.problem("The last lines of " + name + ":");
    for (const auto& line : last) report.problem("  " + line);
    throw Error(failure.kind, name + " " + failure.reason, failure.hint);
}

std::string slot_of(const Member& member, std::size_t index) {
    const bool extension = member.buildpack->role() == buildpacks::Role::extension;
    return (extension ? "generate-" : "build-") + std::to_string(index);
}

std::string listed(const std::vector<std::string>& words) {
    std::string line;
    for (const auto& word : words) line += (line.empty() ? "" : ", ") + base::printable(word);
    return line;
}

// One record of all, as far as it takes them.
void send_reports(const std::vector<std::string>& reports, Reporter& report) {
    if (reports.empty()) return;
    std::string list;
    for (const auto& one : reports)
        if (list.size() + one.size() < largest_record) list += (list.empty() ? "" : ",") + one;
    report.send(Record{"report", "[" + list + "]"});
}

bool names(const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

} // namespace

BuildPhase::BuildPhase(const JobLimits& limits, const Workspace& workspace, BuildUser user,
                       buildpacks::Variables variables, Reporter& report)
    : limits_(limits), workspace_(workspace), user_(user), variables_(std::move(variables)),
      report_(report) {}

void BuildPhase::run(const Group& group, engine::Sandbox& sandbox,
                     std::vector<BuiltMember>& finished, const base::Stop& stop) {
    try {
        run_members(group, sandbox, finished, stop);
    } catch (...) {
        send_reports(reports_, report_);
        throw;
    }
    send_reports(reports_, report_);
}

void BuildPhase::run_members(const Group& group, engine::Sandbox& sandbox,
                             std::vector<BuiltMember>& finished, const base::Stop& stop) {
    for (std::size_t i = 0; i < group.size(); ++i) {
        const auto* needed = group[i].only_with;
        if (needed && !base::open_beneath(workspace_.app, needed, O_RDONLY)) continue;
        const auto& info = group[i].buildpack->info();
        const bool extension = group[i].buildpack->role() == buildpacks::Role::extension;
        report_.step((extension ? "Generating with " : "Building with ") + info.id + " " +
                     info.version);
        try {
            if (group[i].buildpack->has_build()) run_member(group[i], i, sandbox, stop);
        } catch (...) {
            keep_report(group[i], i);
            throw;
        }
        keep_report(group[i], i);
        finished.push_back({group[i].buildpack, accept(group[i], i)});
    }
}

buildpacks::HostPlaces BuildPhase::places(const Member& member, std::size_t index) const {
    return {workspace_.app, workspace_.layers, workspace_.plans / slot_of(member, index)};
}

void BuildPhase::keep_report(const Member& member, std::size_t index) {
    const auto report = member.buildpack->read_report(places(member, index));
    if (!report) return;
    const auto& info = member.buildpack->info();
    reports_.push_back(base::json::render({{"buildpack", info.id},
                                           {"version", info.version},
                                           {"report", base::json::parse(*report, "report")}}));
}

engine::Invocation BuildPhase::prepare(const Member& member, std::size_t index) const {
    const auto slot = slot_of(member, index);
    std::filesystem::create_directory(workspace_.plans / slot);
    auto plan = member.plan;
    std::erase_if(plan, [&](const auto& entry) { return names(met_, entry.name); });
    auto environment = member.buildpack->environment(variables_);
    auto invocation =
        member.buildpack->build(workspace_.inside, plan, workspace_.plans / slot,
                                workspace_.inside.scratch + "/" + slot, std::move(environment));
    give_to(workspace_.plans / slot, user_); // last: until then only we can write there
    return invocation;
}

void BuildPhase::run_member(const Member& member, std::size_t index, engine::Sandbox& sandbox,
                            const base::Stop& stop) {
    const auto invocation = prepare(member, index);
    const auto& name = member.buildpack->info().id;
    OutputLines lines(report_);
    Watchdog watchdog(stop, limits_.silence);
    engine::Result result;
    try {
        result = sandbox.run(
            invocation,
            [&](std::string_view bytes) {
                watchdog.heard();
                lines.feed(bytes);
            },
            watchdog.stop());
    } catch (const Error&) {
        lines.finish();
        if (const auto failure = failure_of(watchdog, stop, limits_))
            fail(name, *failure, lines.last(), report_);
        throw;
    }
    lines.finish();
    if (!result.status.ok()) fail(name, failure_of(result, limits_), lines.last(), report_);
}

// What it was asked for is met unless it says otherwise; nobody after it is asked again.
void BuildPhase::settle_plan(const Member& member, const buildpacks::Built& built) {
    std::vector<std::string> asked;
    for (const auto& entry : member.plan)
        if (!names(met_, entry.name)) asked.push_back(entry.name);
    const auto& info = member.buildpack->info();
    for (const auto& name : built.unmet)
        if (!names(asked, name))
            throw Error(ErrorKind::buildpack_failed,
                        info.escaped_id() + "/build.toml: \"" + base::printable(name) +
                            "\" is given back as unmet, but " + info.full_name() +
                            " was not asked for it");
    for (const auto& name : asked)
        if (!names(built.unmet, name)) met_.push_back(name);
}

buildpacks::Built BuildPhase::accept(const Member& member, std::size_t index) {
    const auto& info = member.buildpack->info();
    auto built = member.buildpack->read_build(places(member, index));
    if (!built.addons.empty())
        report_.body("It would like these services: " + listed(built.addons));
    for (const auto& warning : built.warnings) report_.body("Warning: " + warning);
    settle_plan(member, built);
    collect_bills(info, built, workspace_);
    for (const auto& layer : built.layers) {
        if (!layer.types.build) continue;
        const auto relative = info.escaped_id() + "/" + layer.name;
        buildpacks::add_build_layer(variables_.base, workspace_.layers, relative,
                                    workspace_.inside.layers + "/" + relative);
    }
    for (const auto& [name, value] : built.exported) variables_.base[name] = value;
    return built;
}

} // namespace builder
