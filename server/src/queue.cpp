#include "server/queue.h"

#include "build_options.h"
#include "build_run.h"
#include "build_source.h"
#include "kept_images.h"
#include "pusher_text.h"
#include "recover.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace server {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;

// Beside what the build says: what the server itself says of it.
constexpr std::uint64_t own_lines = 1u << 20;
constexpr auto pause_without_a_table = std::chrono::seconds(1);

apps::Build row_of(const Submission& submission, const QueueSettings& settings) {
    apps::Build row;
    row.id = apps::new_build_id();
    row.app = submission.app;
    row.state = submission.hold ? BuildState::received : BuildState::queued;
    row.source_kind = builder::kind_of(submission.source);
    row.commit = submission.commit;
    row.ref = submission.ref;
    row.pushed_by = submission.pushed_by;
    row.door = submission.door;
    row.priority = submission.priority;
    row.durable = submission.durable;
    row.hook = submission.hook;
    row.previous = submission.previous;
    row.retry_of = submission.retry_of;
    row.worker = settings.name; // who took it in
    row.created = apps::now_milliseconds();
    write_source(submission.source, settings.keys, row);
    write_options(submission.options, settings.keys, row);
    return row;
}

// Its variables and its source's URL are sealed for the row.
std::shared_lock<std::shared_mutex> keep_keys(const Submission& submission,
                                              const QueueSettings& settings) {
    const bool seals =
        has_sealed_part(submission.source) || !submission.options.environment.empty();
    return settings.keys && seals ? settings.keys->keep() : std::shared_lock<std::shared_mutex>();
}

std::filesystem::path log_file(const QueueSettings& settings, const std::string& id) {
    return settings.logs_directory / (id + ".log");
}

void tell(const QueueSettings& settings, const apps::Build& row) {
    if (settings.on_change) settings.on_change(row);
}

// An older image that still waits for the registry would move the tag back.
void supersede_parked(apps::Builds& builds, const QueueSettings& settings, const apps::Build& by) {
    try {
        for (const auto& id : builds.supersede(apps::Older::parked, by, superseded_by(by))) {
            drop_kept(settings, id);
            const auto older = builds.find(id);
            if (!older) continue;
            tell_in_log(settings, *older);
            tell(settings, *older);
        }
    } catch (const Error& error) {
        base::log::warning("older images could not be superseded",
                           {{"build", by.id}, {"reason", error.describe()}});
    }
}

} // namespace

Queue::Queue(apps::Store& store, QueueSettings settings)
    : builds_(store.builds()), settings_(std::move(settings)),
      tick_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!tick_) base::throw_errno("could not make the queue");
    for (const auto& row : recover_builds(builds_, settings_)) adopt(row);
    for (std::size_t i = 0; i < settings_.workers; ++i)
        threads_.start([this](const base::Stop& stop) { serve(Slot::builds, stop); });
    threads_.start([this](const base::Stop& stop) { serve(Slot::kept_images, stop); });
    threads_.start([this](const base::Stop& stop) { tend(stop); });
}

Queue::~Queue() {
    {
        auto state = state_.lock();
        state->closed = state->over = true;
    }
    state_.notify_all();
    stop_running();
    threads_.request_stop();
}

std::shared_ptr<LiveBuild> Queue::submit(Submission submission) {
    auto kept = keep_keys(submission, settings_);
    const auto row = row_of(submission, settings_);
    const auto file = log_file(settings_, row.id);
    Build build;
    {
        auto state = state_.lock();
        if (state->closed)
            throw Error(ErrorKind::unavailable, "the server is stopping",
                        "Push again in a minute.");
        build = std::make_shared<LiveBuild>(row, file, settings_.log_limit + own_lines,
                                            BuildLog::Begin::anew);
        // Before its row is there: a worker may have it a moment later.
        state->live.emplace(row.id, build);
        ++state->submitting;
    }
    for (const auto& line : announce(row)) build->log().append(line);
    auto id = row.id;
    try {
        id = builds_.add_once(row, submission.once, static_cast<std::int64_t>(settings_.longest),
                              static_cast<std::int64_t>(settings_.longest_of_owner),
                              submission.request, submission.replace);
    } catch (const Error& error) {
        // The connection may have gone while the row was being committed.
        if (error.kind() != ErrorKind::unavailable || !is_there_after_all(row.id)) {
            forget(row.id, Log::remove);
            end_submission();
            throw;
        }
    } catch (...) {
        forget(row.id, Log::remove);
        end_submission();
        throw;
    }
    kept = {};
    if (id == row.id) {
        build->progress_.lock()->in_table = true;
        base::failpoint("build_added");
        tell(settings_, row);
        if (row.state == BuildState::queued) {
            supersede_older(row);
            begin_waiting();
        }
    } else {
        forget(row.id, Log::remove);
        build = find_or_show(id);
    }
    end_submission();
    return build;
}

// A row whose commit was not answered. When that cannot be said, its sender hears that there is no
// build, and there will be none: the tender looks again.
bool Queue::is_there_after_all(const std::string& id) {
    try {
        return builds_.find(id).has_value();
    } catch (const Error&) {
        state_.lock()->doubted.insert(id);
        return false;
    }
}

void Queue::end_submission() {
    --state_.lock()->submitting;
    state_.notify_all();
}

void Queue::forget(const std::string& id, Log log) {
    state_.lock()->live.erase(id);
    std::error_code ignored;
    if (log == Log::remove) std::filesystem::remove(log_file(settings_, id), ignored);
}

// One that another call submitted; it may be over by now.
std::shared_ptr<LiveBuild> Queue::find_or_show(const std::string& id) {
    if (auto build = find(id)) return build;
    auto row = builds_.find(id);
    if (!row) throw Error(ErrorKind::not_found, "the build " + id + " is there no more");
    auto build =
        std::make_shared<LiveBuild>(*row, log_file(settings_, id), settings_.log_limit + own_lines,
                                    BuildLog::Begin::after_its_last_line);
    if (apps::is_over(row->state)) {
        *build->ended_.lock() = *row;
        build->log().finish();
    }
    return build;
}

bool Queue::accept(std::string_view id) {
    if (!builds_.enqueue(id)) return false;
    if (auto row = builds_.find(id)) {
        if (const auto build = find(id)) {
            // A slot may have it by now, and knows more than what was read here.
            auto progress = build->progress_.lock();
            if (progress->row.state == BuildState::received)
                progress->row.state = BuildState::queued;
        }
        tell(settings_, *row);
        supersede_older(*row);
        begin_waiting();
    }
    return true;
}

// The newest push is what counts: older ones of the ref that did not begin need not be built.
void Queue::supersede_older(const apps::Build& row) {
    if (row.ref.empty() || !row.retry_of.empty() || is_dry_run(row)) return;
    try {
        for (const auto& id : builds_.supersede(apps::Older::queued, row, superseded_by(row))) {
            const auto older = builds_.find(id);
            if (!older) continue;
            const auto build = find(id);
            if (!build)
                tell(settings_, *older);
            else if (BuildRun::end(*build, *older, settings_.on_change))
                forget(id, Log::keep);
        }
    } catch (const Error& error) { // it costs workers' time, not this build
        base::log::warning("older builds could not be superseded",
                           {{"build", row.id}, {"reason", error.describe()}});
    }
}

void Queue::begin_waiting() {
    base::failpoint("build_queued");
    wake_slots();
}

void Queue::wake_slots() {
    ++state_.lock()->wakes;
    state_.notify_all();
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(tick_.get(), &one, sizeof one);
}

std::shared_ptr<LiveBuild> Queue::find(std::string_view id) {
    auto state = state_.lock();
    const auto it = state->live.find(id);
    return it == state->live.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<LiveBuild>> Queue::live() {
    std::vector<Build> builds;
    auto state = state_.lock();
    for (const auto& [id, build] : state->live) builds.push_back(build);
    return builds;
}

bool Queue::has_builds_of(std::string_view app) {
    for (const auto state :
         {BuildState::received, BuildState::queued, BuildState::running, BuildState::exporting})
        if (builds_.count({.app = std::string(app), .state = state}) > 0) return true;
    return false;
}

bool Queue::cancel(std::string_view id, std::string why) {
    if (!builds_.request_cancel(id, why)) return false;
    if (const auto build = find(id)) {
        {
            auto progress = build->progress_.lock();
            if (auto& attempt = progress->attempt) {
                if (attempt->cancelled_because.empty()) attempt->cancelled_because = why;
                attempt->cancel.request();
            }
        }
        close(*build, BuildState::cancelled, why);
    } else if (auto row = builds_.find(id)) {
        // Another server's: one that runs there learns of it from the table.
        row->state = BuildState::cancelled;
        row->reason = why;
        row->finished = apps::now_milliseconds();
        if (builds_.close(*row)) {
            if (row->kept) tell_in_log(settings_, *row);
            tell(settings_, *row);
            drop_kept(settings_, row->id);
        }
    }
    return true;
}

// Of one that nobody holds; nothing happens when somebody does by now.
void Queue::close(LiveBuild& build, BuildState state, std::string reason, std::string hint) {
    auto row = build.row();
    row.state = state;
    row.reason = std::move(reason);
    row.hint = std::move(hint);
    row.finished = apps::now_milliseconds();
    if (!builds_.close(row)) return;
    if (row.kept) drop_kept(settings_, row.id);
    if (BuildRun::end(build, row, settings_.on_change)) forget(build.id(), Log::keep);
}

// What others ended, and told of.
void Queue::show_end(LiveBuild& build, const apps::Build& row) {
    if (BuildRun::end(build, row, {})) forget(build.id(), Log::keep);
}

std::shared_ptr<LiveBuild> Queue::adopt(const apps::Build& row) {
    if (auto build = find(row.id)) return build;
    auto build = std::make_shared<LiveBuild>(row, log_file(settings_, row.id),
                                             settings_.log_limit + own_lines,
                                             BuildLog::Begin::after_its_last_line);
    build->progress_.lock()->in_table = true;
    state_.lock()->live.emplace(row.id, build);
    return build;
}

std::optional<apps::Claim> Queue::claim(Slot slot, const base::Stop& stop) {
    {
        auto state = state_.lock();
        if (state->closed || state->paused) return std::nullopt;
        ++state->running; // a drain waits for what we may get
    }
    std::optional<apps::Claim> claim;
    try {
        claim = slot == Slot::builds ? builds_.claim(settings_.name, settings_.lease)
                                     : builds_.claim_parked(settings_.name, settings_.lease);
    } catch (const Error& error) {
        base::log::error("the queue cannot be read", {{"reason", error.describe()}});
        stop.wait(pause_without_a_table);
    }
    if (!claim) release();
    return claim;
}

void Queue::serve(Slot slot, const base::Stop& stop) {
    for (;;) {
        std::uint64_t seen = 0;
        {
            auto state = state_.lock();
            if (state->over) return;
            seen = state->wakes;
        }
        if (const auto claimed = claim(slot, stop)) {
            base::failpoint("build_claimed");
            run(*claimed);
            continue;
        }
        auto state = state_.lock();
        const std::size_t counted = slot == Slot::builds ? 1 : 0;
        state->idle += counted;
        state.wait([&](const State& now) { return now.wakes != seen || now.over; });
        state->idle -= counted;
    }
}

void Queue::run(const apps::Claim& claimed) {
    try {
        const auto build = adopt(claimed.build);
        {
            BuildRun run(builds_, settings_, *build, claimed);
            if (state_.lock()->stopping) stop_running();
            tell(settings_, claimed.build);
            wake_slots(); // those that wait behind it
            run.run();
        }
        if (const auto ended = build->ended()) {
            forget(build->id(), Log::keep);
            if (ended->state == BuildState::published) {
                close_overtaken(*ended);
                supersede_parked(builds_, settings_, *ended);
            }
        }
    } catch (const std::exception& error) { // no log file, no memory: its lease runs out
        base::log::error("a build could not be begun",
                         {{"build", claimed.build.id}, {"reason", error.what()}});
    }
    release();
    wake_slots();
}

void Queue::release() {
    auto state = state_.lock();
    --state->running;
    note_idle(*state);
}

// What waits for a ref that has moved under it. A durable one's ref was moved before it came.
void Queue::close_overtaken(const apps::Build& by) {
    if (by.previous.empty()) return; // a rebuild, or of another door: it moved no ref
    for (const auto& build : live()) {
        const auto row = build->row();
        if (row.state != BuildState::queued || row.app != by.app || row.ref != by.ref ||
            row.durable || row.previous.empty() || row.previous == by.commit)
            continue;
        close(*build, BuildState::cancelled,
              "another push moved the branch first: fetch, merge and push again");
    }
}

} // namespace server
