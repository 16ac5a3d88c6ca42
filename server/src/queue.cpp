#include "server/queue.h"

#include "build_run.h"
#include "pusher_text.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <poll.h>

namespace server {

using base::Error;
using base::ErrorKind;

LiveBuild::LiveBuild(apps::Build row, builder::Source source, std::string previous,
                     const std::filesystem::path& log_file, std::uint64_t log_limit)
    : id_(row.id), app_(row.app), source_(std::move(source)), ref_(row.ref),
      previous_(std::move(previous)), log_(log_file, log_limit), row_(std::move(row)) {}

std::optional<apps::Build> LiveBuild::ended() {
    return *ended_.lock();
}

Queue::Queue(apps::Store& store, QueueSettings settings)
    : store_(store), settings_(std::move(settings)) {
    for (std::size_t i = 0; i < settings_.workers; ++i)
        slots_.start([this](const base::Stop&) { serve(); });
}

Queue::~Queue() {
    {
        auto state = state_.lock();
        state->closed = state->over = true;
    }
    stop_all();
    state_.notify_all();
}

std::shared_ptr<LiveBuild> Queue::submit(Submission submission) {
    apps::Build row;
    row.id = apps::new_build_id();
    row.app = submission.app;
    row.source_kind =
        std::holds_alternative<builder::GitTree>(submission.source) ? "git" : "archive";
    row.commit = submission.commit;
    row.ref = submission.ref;
    row.pushed_by = submission.pushed_by;
    row.created = apps::now_milliseconds();
    std::shared_ptr<LiveBuild> build;
    {
        auto state = state_.lock();
        if (state->closed)
            throw Error(ErrorKind::unavailable, "the server is stopping",
                        "Push again in a minute.");
        if (state->waiting.size() >= settings_.longest)
            throw Error(ErrorKind::limit_exceeded, "too many builds are waiting",
                        "Push again in a few minutes.");
        // The log first: a row without a build behind it would stay queued for ever.
        const auto log = settings_.logs_directory / (row.id + ".log");
        build = std::make_shared<LiveBuild>(row, std::move(submission.source),
                                            std::move(submission.previous), log,
                                            settings_.log_limit + (1u << 20));
        try {
            store_.add_build(row);
        } catch (...) {
            std::error_code ignored;
            std::filesystem::remove(log, ignored);
            throw;
        }
        for (const auto& line : announce(row)) build->log().append(line);
        state->waiting.push_back(build);
        tell_positions(*state);
    }
    state_.notify_all();
    return build;
}

std::shared_ptr<LiveBuild> Queue::find(std::string_view id) {
    auto state = state_.lock();
    for (const auto* list : {&state->running, &state->waiting})
        for (const auto& build : *list)
            if (build->id() == id) return build;
    return nullptr;
}

bool Queue::has_builds_of(std::string_view app) {
    auto state = state_.lock();
    for (const auto* list : {&state->running, &state->waiting})
        for (const auto& build : *list)
            if (build->app() == app && !build->ended()) return true;
    return false;
}

bool Queue::cancel(std::string_view id, std::string why) {
    std::shared_ptr<LiveBuild> build = find(id);
    if (!build || build->ended()) return false;
    {
        auto row = build->row_.lock();
        build->cancelled_because_ = std::move(why);
    }
    build->cancel_.request();
    if (take_from_waiting(build)) give_up(*build);
    return true;
}

// One that waits ends here and now, whatever its turn.
bool Queue::take_from_waiting(const std::shared_ptr<LiveBuild>& build) {
    auto state = state_.lock();
    if (std::erase(state->waiting, build) == 0) return false;
    tell_positions(*state);
    note_idle(*state);
    return true;
}

void Queue::give_up(LiveBuild& build) {
    BuildRun(store_, settings_, build).give_up();
}

void Queue::drain(const base::Stop& stop) {
    {
        auto state = state_.lock();
        state->closed = true;
        note_idle(*state);
    }
    const auto idle = idle_.stop();
    if (idle.requested() || stop.wait_for(idle.fd(), POLLIN)) return;
    base::log::warning("builds are stopped unfinished");
    stop_all();
    base::Stop{}.wait_for(idle.fd(), POLLIN);
}

void Queue::note_idle(const State& state) {
    if (state.closed && state.waiting.empty() && state.running.empty()) idle_.request();
}

void Queue::stop_all() {
    std::vector<std::shared_ptr<LiveBuild>> waiting;
    {
        auto state = state_.lock();
        waiting.swap(state->waiting);
        for (const auto* list : {&state->running, &waiting})
            for (const auto& build : *list) {
                build->server_stops_ = true;
                build->cancel_.request();
            }
        note_idle(*state);
    }
    for (const auto& build : waiting) give_up(*build);
}

void Queue::serve() {
    while (const auto build = take_next()) {
        BuildRun(store_, settings_, *build).run();
        release(build);
    }
}

std::size_t Queue::first_runnable(const State& state) const {
    for (std::size_t i = 0; i < state.waiting.size(); ++i) {
        const auto same_app = [&](const auto& other) {
            return other->app() == state.waiting[i]->app();
        };
        if (std::none_of(state.running.begin(), state.running.end(), same_app)) return i;
    }
    return state.waiting.size();
}

std::shared_ptr<LiveBuild> Queue::take_next() {
    auto state = state_.lock();
    state.wait([this](const State& now) {
        return first_runnable(now) < now.waiting.size() || (now.over && now.waiting.empty());
    });
    const auto i = first_runnable(*state);
    if (i == state->waiting.size()) return nullptr;
    auto build = state->waiting[i];
    state->waiting.erase(state->waiting.begin() + static_cast<std::ptrdiff_t>(i));
    state->running.push_back(build);
    return build;
}

// What waits for a ref that has moved under it.
std::vector<std::shared_ptr<LiveBuild>> Queue::take_overtaken(State& state, const apps::Build& by) {
    std::vector<std::shared_ptr<LiveBuild>> overtaken;
    if (by.state != apps::BuildState::published) return overtaken;
    std::erase_if(state.waiting, [&](const auto& build) {
        const bool stale = build->app() == by.app && build->ref_ == by.ref &&
                           !build->previous_.empty() && build->previous_ != by.commit;
        if (stale) overtaken.push_back(build);
        return stale;
    });
    return overtaken;
}

void Queue::release(const std::shared_ptr<LiveBuild>& build) {
    std::vector<std::shared_ptr<LiveBuild>> overtaken;
    {
        auto state = state_.lock();
        std::erase(state->running, build);
        if (const auto ended = build->ended()) overtaken = take_overtaken(*state, *ended);
        tell_positions(*state);
        note_idle(*state);
    }
    for (const auto& stale : overtaken) {
        {
            auto row = stale->row_.lock();
            stale->cancelled_because_ =
                "another push moved the branch first: fetch, merge and push again";
        }
        give_up(*stale);
    }
    state_.notify_all();
}

void Queue::tell_positions(State& state) {
    std::size_t ahead = state.running.size();
    const auto next =
        state.running.size() < settings_.workers ? first_runnable(state) : state.waiting.size();
    for (std::size_t i = 0; i < state.waiting.size(); ++i, ++ahead) {
        auto& build = *state.waiting[i];
        if (i == next || ahead == 0 || build.told_position_ == ahead) continue;
        build.told_position_ = ahead;
        build.log().append(waiting_line(ahead));
    }
}

} // namespace server
