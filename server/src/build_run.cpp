#include "build_run.h"

#include "build_records.h"
#include "pusher_text.h"

#include "builder/masking.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace server {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;

// How long the end of a build waits for a database that is locked or full before it gives up.
constexpr auto patience_with_the_store = std::chrono::seconds(60);
constexpr std::size_t most_phases = 16;
constexpr std::size_t most_records = 64;
constexpr std::size_t largest_record = 1u << 20;

template <class Failure>
void apply_failure(apps::Build& row, const Failure& failure) {
    row.reason = failure.reason;
    row.hint = failure.hint;
    row.failed_phase = builder::to_string(failure.phase);
}

void apply_published(apps::Build& row, const builder::Published& published) {
    row.state = BuildState::published;
    row.digest = published.digest;
    row.reference = published.reference;
    row.size = published.size;
    for (const auto& process : published.processes)
        row.processes.push_back({process.type, process.command, process.is_default});
}

} // namespace

void BuildRun::run() {
    try {
        {
            auto row = build_.row_.lock();
            row->state = BuildState::running;
            row->started = apps::now_milliseconds();
        }
        if (build_.cancel_.stop().requested()) return give_up();
        store_.update_build(*build_.row_.lock());
        run_worker();
    } catch (const Error& error) {
        break_off(error);
    } catch (const std::exception& error) { // of the standard library: a full disk, no memory
        break_off(Error(ErrorKind::internal, error.what()));
    }
}

void BuildRun::break_off(const Error& error) {
    base::log::error("a build could not run",
                     {{"build", build_.id_}, {"reason", error.describe()}});
    if (!build_.ended())
        finish(builder::Broken{builder::Phase::fetch, error.kind(), error.message(), error.hint()});
}

void BuildRun::give_up() {
    finish(builder::Cancelled{"it was cancelled"});
}

void BuildRun::run_worker() {
    const auto job = settings_.make_job(*build_.row_.lock(), build_.source_);
    mask_ = builder::mask_of(job);
    const auto on_event = [this](const builder::Event& event) {
        take(builder::masked(mask_, event));
    };
    // The worker keeps the time itself; this is for one that does not.
    const auto stop = build_.cancel_.stop().within(job.limits.time + std::chrono::seconds(60));
    builder::run_worker(settings_.worker, job, on_event, stop);
    settings_.clean_up(job);
}

void BuildRun::take(const builder::Event& event) {
    if (const auto* line = std::get_if<builder::LogLine>(&event))
        build_.log_.append(base::printable(line->text, base::Colour::keep));
    if (const auto* finished = std::get_if<builder::PhaseFinished>(&event)) {
        auto row = build_.row_.lock();
        if (row->phases.size() < most_phases)
            row->phases.emplace_back(builder::to_string(finished->phase), finished->milliseconds);
        if (finished->phase == builder::Phase::fetch) build_.fetched_ = true;
    }
    if (const auto* record = std::get_if<builder::Record>(&event)) keep(*record);
    if (const auto* outcome = std::get_if<builder::Outcome>(&event)) finish(*outcome);
}

// One line a record. What cannot be kept (a full disk) is not worth a build.
void BuildRun::keep(const builder::Record& record) {
    if (++records_ > most_records || record.json.size() > largest_record) return;
    try {
        append_record(settings_.logs_directory, build_.id_, record.name, record.json);
    } catch (const Error& error) {
        base::log::warning("a record of a build could not be kept",
                           {{"build", build_.id_}, {"reason", error.describe()}});
    }
}

void BuildRun::finish(const builder::Outcome& outcome) {
    apps::Build row;
    {
        auto locked = build_.row_.lock();
        apply(*locked, outcome);
        locked->finished = apps::now_milliseconds();
        row = *locked;
    }
    try {
        save(row);
    } catch (const Error& error) {
        // Without its row an image is not ours: the push is refused and the next one builds anew.
        base::log::error("the outcome of a build could not be stored",
                         {{"build", row.id}, {"reason", error.describe()}});
        row.state = BuildState::broken;
        row.reason = "the outcome could not be stored: " + error.message();
        row.hint = error.hint();
    }
    for (const auto& line : tell_outcome(row)) build_.log_.append(line);
    base::log::info("a build ended", {{"build", row.id},
                                      {"app", row.app},
                                      {"state", apps::to_string(row.state)},
                                      {"digest", row.digest},
                                      {"reason", row.reason}});
    *build_.ended_.lock() = row;
    build_.log_.finish();
}

void BuildRun::apply(apps::Build& row, const builder::Outcome& outcome) {
    if (const auto* published = std::get_if<builder::Published>(&outcome))
        return apply_published(row, *published);
    if (build_.server_stops_) {
        row.state = BuildState::broken;
        row.reason = "the server stopped while this build ran";
        row.hint = "Push again.";
    } else if (const auto* refused = std::get_if<builder::Refused>(&outcome)) {
        row.state = BuildState::refused;
        apply_failure(row, *refused);
    } else if (const auto* broken = std::get_if<builder::Broken>(&outcome)) {
        row.state = BuildState::broken;
        apply_failure(row, *broken);
    } else {
        row.state = BuildState::cancelled;
        const auto* cancelled = std::get_if<builder::Cancelled>(&outcome);
        row.reason = build_.cancelled_because_;
        if (row.reason.empty()) row.reason = cancelled ? cancelled->why : "it only detected";
    }
}

void BuildRun::save(const apps::Build& row) {
    const auto stop = base::Stop{}.within(patience_with_the_store);
    for (;;) {
        try {
            return store_.update_build(row);
        } catch (const Error& error) {
            const bool passing =
                error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::limit_exceeded;
            if (!passing || stop.wait(std::chrono::seconds(1))) throw;
        }
    }
}

} // namespace server
