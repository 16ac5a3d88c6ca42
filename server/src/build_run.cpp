#include "build_run.h"

#include "build_options.h"
#include "build_records.h"
#include "build_source.h"
#include "kept_images.h"
#include "made_job.h"
#include "pusher_text.h"
#include "same_inputs.h"
#include "signatures.h"
#include "store_patience.h"

#include "builder/masking.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

namespace server {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;

constexpr auto patience_with_proof = std::chrono::seconds(120);
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
    row.inputs = published.inputs;
    row.same_as = published.same_as;
    for (const auto& process : published.processes)
        row.processes.push_back({process.type, process.command, process.is_default});
}

void apply_detected(apps::Build& row, const builder::Detected& detected) {
    row.state = BuildState::detected;
    row.reason = "dry run: ";
    for (std::size_t i = 0; i < detected.group.size(); ++i)
        row.reason += (i == 0 ? "" : ", ") + detected.group[i];
    row.reason += " would build it; nothing was built";
}

} // namespace

BuildRun::BuildRun(apps::Builds& builds, const QueueSettings& settings, LiveBuild& build,
                   const apps::Claim& claim)
    : builds_(builds), settings_(settings), build_(build),
      attempt_(std::make_shared<LiveBuild::Attempt>(claim.fence)), row_(claim.build) {
    auto progress = build.progress_.lock();
    if (progress->attempt) progress->attempt->lose();
    progress->attempt = attempt_;
    progress->row = row_;
    build.fetched_ = false;
}

BuildRun::~BuildRun() {
    auto progress = build_.progress_.lock();
    if (progress->attempt == attempt_) progress->attempt.reset();
}

bool BuildRun::has_lost() {
    const auto lock = build_.progress_.lock();
    return attempt_->lease_lost;
}

void BuildRun::wait_for_next_start(LiveBuild& build) {
    auto row = build.row();
    if (row.state != BuildState::received && !row.kept) row.state = BuildState::queued;
    if (!build.begin_end(row)) return;
    build.log().append(row.kept ? "-----> The server stops; it sends the image when it is back"
                                : "-----> The server stops; this build begins when it is back");
    *build.ended_.lock() = row;
    build.log().finish();
}

void BuildRun::run() {
    try {
        if (attempt_->cancel.stop().requested())
            return finish(builder::Cancelled{"it was cancelled"});
        row_.kept ? send_kept() : run_worker();
    } catch (const Error& error) {
        break_off(error);
    } catch (const std::exception& error) { // of the standard library: a full disk, no memory
        break_off(Error(ErrorKind::internal, error.what()));
    }
}

void BuildRun::break_off(const Error& error) {
    base::log::error("a build could not run",
                     {{"build", build_.id_}, {"reason", error.describe()}});
    if (!over_)
        finish(builder::Broken{builder::Phase::fetch, error.kind(), error.message(), error.hint()});
}

void BuildRun::run_worker() {
    MadeJob made(settings_, row_);
    auto& job = *made;
    apply_options(read_options(row_, settings_.keys), job);
    if (settings_.add_secrets) settings_.add_secrets(job, row_);
    mask_ = builder::mask_of(job);
    const auto on_event = [this, &job](const builder::Event& event) {
        const auto shown = builder::masked(mask_, event);
        if (!was_kept(shown, job)) take(with_proof(shown, job));
    };
    // The worker keeps the time itself; this is for one that does not.
    const auto stop = attempt_->cancel.stop().within(job.limits.time + std::chrono::seconds(60));
    builder::run_worker(settings_.worker, job, on_event, stop);
}

// An image that nobody can check is not handed out: the outcome waits for its proof, and is another
// one without it.
builder::Event BuildRun::with_proof(builder::Event event, const builder::Job& job) {
    const auto* outcome = std::get_if<builder::Outcome>(&event);
    const auto* published = outcome ? std::get_if<builder::Published>(outcome) : nullptr;
    if (!published || has_lost()) return event;
    if (!published->same_as.empty() && !is_offered(job.inputs, *published))
        return builder::Outcome(builder::Broken{builder::Phase::detect,
                                                ErrorKind::internal,
                                                "the worker names an image that is not this app's",
                                                {}});
    if (!published->same_as.empty() || !settings_.prove) return event; // it has its proof
    try {
        settings_.prove({job, row_, *published, materials_, whole_log(build_.log_)},
                        attempt_->cancel.stop().within(patience_with_proof));
        build_.log_.append("       Signed, with its provenance and bills of materials");
        return event;
    } catch (const Error& error) {
        base::log::error("a build's proof could not be attached",
                         {{"build", build_.id_}, {"reason", error.describe()}});
        if (attempt_->cancel.stop().requested())
            return builder::Outcome(builder::Cancelled{"it was cancelled"});
        return builder::Outcome(builder::Broken{
            builder::Phase::publish, error.kind(),
            "the image is in the registry, but its signature and provenance are not: " +
                error.message(),
            error.hint().empty() ? "Push again." : error.hint()});
    }
}

void BuildRun::take(const builder::Event& event) {
    if (!std::exchange(started_, true)) base::failpoint("worker_started");
    // The log and the row are its successor's; how it went is heard to let it go.
    if (has_lost() && !std::holds_alternative<builder::Outcome>(event)) return;
    if (const auto* line = std::get_if<builder::LogLine>(&event))
        build_.log_.append(base::printable(line->text, base::Colour::keep));
    if (const auto* started = std::get_if<builder::PhaseStarted>(&event)) take(*started);
    if (const auto* finished = std::get_if<builder::PhaseFinished>(&event)) take(*finished);
    if (const auto* record = std::get_if<builder::Record>(&event)) keep(*record);
    if (const auto* outcome = std::get_if<builder::Outcome>(&event)) finish(*outcome);
}

void BuildRun::take(const builder::PhaseStarted& started) {
    if (started.phase != builder::Phase::export_) return;
    row_.state = BuildState::exporting;
    note();
    if (settings_.on_change) settings_.on_change(row_);
    base::failpoint("export_started");
}

void BuildRun::take(const builder::PhaseFinished& finished) {
    if (row_.phases.size() < most_phases)
        row_.phases.emplace_back(builder::to_string(finished.phase), finished.milliseconds);
    note();
    if (finished.phase != builder::Phase::fetch) return;
    build_.fetched_ = true;
    base::failpoint("source_fetched");
}

// How far it is. What the table does not take now it gets with the outcome.
void BuildRun::note() {
    {
        auto progress = build_.progress_.lock();
        if (attempt_->lease_lost) return;
        progress->row = row_;
    }
    try {
        builds_.note(row_, attempt_->fence);
    } catch (const Error& error) {
        base::log::warning("the progress of a build could not be stored",
                           {{"build", build_.id_}, {"reason", error.describe()}});
        if (error.kind() != ErrorKind::denied) return;
        const auto lock = build_.progress_.lock();
        attempt_->lose();
    }
}

// One line a record. What cannot be kept (a full disk) is not worth a build.
void BuildRun::keep(const builder::Record& record) {
    if (++records_ > most_records || record.json.size() > largest_record) return;
    if (record.name == builder::materials_record) materials_ = record.json;
    try {
        append_record(settings_.logs_directory, build_.id_, record.name, record.json);
    } catch (const Error& error) {
        base::log::warning("a record of a build could not be kept",
                           {{"build", build_.id_}, {"reason", error.describe()}});
    }
}

// A durable build that the server itself stops begins again with the server.
bool BuildRun::is_left_for_next_start(const builder::Outcome& outcome) {
    const auto lock = build_.progress_.lock();
    return attempt_->server_stops && (row_.durable || row_.kept) &&
           !std::holds_alternative<builder::Published>(outcome);
}

void BuildRun::finish(const builder::Outcome& outcome) {
    over_ = true;
    if (std::holds_alternative<builder::Published>(outcome)) base::failpoint("worker_published");
    if (has_lost()) return lose_lease();
    if (is_left_for_next_start(outcome)) return wait_for_next_start(build_);
    auto row = row_;
    apply(row, outcome);
    row.finished = apps::now_milliseconds();
    bool is_saved = false;
    try {
        write_patiently([&] { builds_.finish(row, attempt_->fence); });
        is_saved = true;
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::denied) return lose_lease();
        // Without its row an image is not ours: the push is refused and the next one builds anew.
        base::log::error("the outcome of a build could not be stored",
                         {{"build", row.id}, {"reason", error.describe()}});
        row.state = BuildState::broken;
        row.reason = "the outcome could not be stored: " + error.message();
        row.hint = error.hint();
    }
    base::failpoint("build_finished");
    // A row that still says that it waits is sent again.
    if (row.kept && is_saved) drop_kept(settings_, row.id);
    end(build_, row, settings_.on_change);
}

bool BuildRun::end(LiveBuild& build, const apps::Build& row,
                   const std::function<void(const apps::Build&)>& tell) {
    const bool first = build.begin_end(row);
    if (first) {
        for (const auto& line : tell_outcome(row)) build.log_.append(line);
        base::log::info("a build ended", {{"build", row.id},
                                          {"app", row.app},
                                          {"state", apps::to_string(row.state)},
                                          {"digest", row.digest},
                                          {"reason", row.reason}});
    }
    if (tell) tell(row);
    if (!first) return false;
    *build.ended_.lock() = row;
    build.log_.finish();
    return true;
}

// Another worker was given the build, or it was ended without us: its row is not ours to write.
void BuildRun::lose_lease() {
    base::log::error("a build's lease was lost", {{"build", build_.id_}});
    std::optional<apps::Build> row;
    try {
        row = builds_.find(build_.id_);
    } catch (const Error& error) {
        base::log::warning("a build's row cannot be read",
                           {{"build", build_.id_}, {"reason", error.describe()}});
    }
    if (!row || apps::is_over(row->state)) {
        if (!row) row = row_;
        if (!apps::is_over(row->state)) row->state = BuildState::lost;
        end(build_, *row, {}); // whoever ended it has told others
        return;
    }
    {
        auto progress = build_.progress_.lock();
        if (progress->attempt != attempt_) return; // it has begun again, here
        progress->row = *row;
    }
    build_.log_.append("-----> This worker lost the build; it begins again");
}

void BuildRun::apply(apps::Build& row, const builder::Outcome& outcome) {
    if (const auto* published = std::get_if<builder::Published>(&outcome))
        return apply_published(row, *published);
    const auto lock = build_.progress_.lock();
    if (attempt_->server_stops) {
        row.state = BuildState::lost;
        row.reason = "the server stopped while this build ran";
        row.hint = "Push again.";
    } else if (const auto* refused = std::get_if<builder::Refused>(&outcome)) {
        row.state = BuildState::refused;
        apply_failure(row, *refused);
    } else if (const auto* broken = std::get_if<builder::Broken>(&outcome)) {
        row.state = BuildState::broken;
        apply_failure(row, *broken);
    } else if (const auto* detected = std::get_if<builder::Detected>(&outcome)) {
        apply_detected(row, *detected);
    } else {
        row.state = BuildState::cancelled;
        row.reason = attempt_->cancelled_because;
        if (row.reason.empty()) row.reason = std::get<builder::Cancelled>(outcome).why;
    }
}

} // namespace server
