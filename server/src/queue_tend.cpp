// What goes on beside the slots: leases are renewed, what others asked of a build is heard, builds
// whose worker is gone come back, and those who wait are told where they stand. One thread.
#include "server/queue.h"

#include "pusher_text.h"
#include "recover.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <poll.h>
#include <set>
#include <unistd.h>

namespace server {
namespace {

using apps::BuildState;
using base::Error;

constexpr auto most_between_looks = std::chrono::seconds(1); // at what others asked for
// A standing costs a query; hundreds that wait are not told after each build that comes.
constexpr auto least_between_tellings = std::chrono::milliseconds(300);

} // namespace

void Queue::tend(const base::Stop& stop) {
    using Clock = std::chrono::steady_clock;
    auto renewed = Clock::now() - settings_.lease;
    while (!stop.requested()) {
        const bool due = Clock::now() - renewed >= settings_.lease / 3;
        if (due) renewed = Clock::now();
        try {
            tend_once(due);
        } catch (const std::exception& error) {
            base::log::warning("the queue could not be tended", {{"reason", error.what()}});
        }
        if (stop.wait(least_between_tellings)) return;
        pollfd fds[] = {{tick_.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0}};
        ::poll(fds, 2, static_cast<int>(std::chrono::milliseconds(most_between_looks).count()));
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(tick_.get(), &count, sizeof count);
    }
}

// In this order: after a time without a database our own leases are renewed before those that ran
// out are taken back.
void Queue::tend_once(bool renew) {
    if (renew) renew_leases();
    close_doubted();
    look_for_cancels();
    if (renew) {
        take_back();
        follow_others();
        wake_slots();
    }
    tell_standings();
}

void Queue::renew_leases() {
    for (const auto& build : live()) {
        const auto attempt = build->progress_.lock()->attempt;
        if (!attempt || builds_.renew(build->id(), attempt->fence, settings_.lease)) continue;
        const auto lock = build->progress_.lock();
        attempt->lose();
    }
}

void Queue::look_for_cancels() {
    for (const auto& build : live()) {
        const auto attempt = build->progress_.lock()->attempt;
        if (!attempt) continue;
        const auto why = builds_.wants_cancel(build->id());
        if (!why) continue;
        const auto lock = build->progress_.lock();
        if (attempt->cancelled_because.empty()) attempt->cancelled_because = *why;
        attempt->cancel.request();
    }
}

void Queue::close_doubted() {
    for (const auto& id : std::set(state_.lock()->doubted)) {
        cancel(id, "its sender was told that the server could not take it");
        state_.lock()->doubted.erase(id);
    }
}

// Of workers that are no more: of other hosts, or of a server here that had another name.
void Queue::take_back() {
    for (const auto& row : builds_.recover(recover_settings(settings_))) {
        base::log::warning("a build's worker is gone",
                           {{"build", row.id}, {"now", apps::to_string(row.state)}});
        const auto build = find(row.id);
        if (!build) tell_in_log(settings_, row);
        if (settings_.on_change) settings_.on_change(row);
        if (build && build->progress_.lock()->fence() == 0 && apps::is_over(row.state))
            show_end(*build, row); // else the next renewal tells its slot
    }
}

// What waits here may have been ended, or begun, by another server on the database, which has told
// others of it.
void Queue::follow_others() {
    for (const auto& build : live()) {
        auto known = [&] {
            auto progress = build->progress_.lock();
            return progress->in_table && !progress->attempt ? std::optional(progress->row)
                                                            : std::nullopt;
        }();
        if (!known) continue;
        if (const auto row = builds_.find(build->id())) {
            if (apps::is_over(row->state)) show_end(*build, *row);
            continue;
        }
        known->state = BuildState::lost; // with its app, on another server
        known->reason = "the build was removed";
        known->finished = apps::now_milliseconds();
        show_end(*build, *known);
    }
}

Standing Queue::standing(std::string_view id) {
    const auto row = builds_.find(id);
    if (!row || row->state != BuildState::queued) return {};
    return standing_of(*row, builds_.place(id).ahead);
}

// The builds ahead are taken to last as long as those of the apps that run, and as this one.
Standing Queue::standing_of(const apps::Build& row, std::int64_t ahead) {
    Standing standing;
    standing.ahead = ahead;
    std::set<std::string> apps{row.app};
    for (const auto& build : live())
        if (build->progress_.lock()->fence() != 0) apps.insert(build->app());
    std::int64_t sum = 0, known = 0;
    for (const auto& app : apps)
        if (const auto usual = builds_.usual_duration(app)) {
            sum += *usual;
            ++known;
        }
    if (known == 0) return standing;
    const auto workers = static_cast<std::int64_t>(settings_.workers);
    const auto rounds = (standing.ahead + workers - 1) / workers;
    standing.estimate = std::chrono::seconds(rounds * (sum / known) / 1000);
    return standing;
}

void Queue::tell_standings() {
    std::set<std::string> busy;
    const auto builds = live();
    for (const auto& build : builds)
        if (build->progress_.lock()->fence() != 0) busy.insert(build->app());
    const bool free_slot = state_.lock()->idle > 0;
    for (const auto& build : builds) {
        const auto row = build->row();
        if (row.state != BuildState::queued) continue;
        if (free_slot && !busy.contains(build->app())) continue; // its turn is now
        const auto ahead = builds_.place(row.id).ahead;
        {
            auto progress = build->progress_.lock();
            if (ahead == 0 || progress->told_ahead == ahead) continue;
            progress->told_ahead = ahead;
        }
        const auto standing = standing_of(row, ahead);
        build->log().append(waiting_line(standing.ahead, standing.estimate));
    }
}

} // namespace server
