// How the queue ends, and how it stands still: what runs may finish, what waits stays for the next
// start where it can.
#include "server/queue.h"

#include "build_run.h"
#include "recover.h"

#include "base/error.h"
#include "base/log.h"

#include <poll.h>

namespace server {

using apps::BuildState;

void Queue::drain(const base::Stop& stop) {
    {
        auto state = state_.lock();
        state->closed = true;
        state.wait([](const State& now) { return now.submitting == 0; });
    }
    leave_waiting();
    note_idle(*state_.lock());
    const auto idle = idle_.stop();
    if (!idle.requested() && !stop.wait_for(idle.fd(), POLLIN)) {
        base::log::warning("builds are stopped unfinished");
        stop_running();
        base::Stop{}.wait_for(idle.fd(), POLLIN);
    }
    give_back();
}

bool Queue::pause(const base::Stop& stop) {
    base::Stop quiet;
    {
        auto state = state_.lock();
        if (state->paused) return false; // another one has it
        quiet = state->paused.emplace().stop();
        note_idle(*state);
    }
    if (quiet.requested() || stop.wait_for(quiet.fd(), POLLIN)) return true;
    resume();
    return false;
}

void Queue::resume() {
    state_.lock()->paused.reset();
    wake_slots();
}

void Queue::leave_waiting() {
    for (const auto& build : live()) {
        const auto row = build->row();
        if (row.state != BuildState::received && row.state != BuildState::queued) continue;
        if (row.state == BuildState::queued && !row.durable) {
            close(*build, BuildState::lost, "the server stopped before this build began",
                  "Push again.");
            continue;
        }
        BuildRun::wait_for_next_start(*build);
        forget(build->id(), Log::keep);
    }
}

// Durable ones that were stopped: the next server need not wait for their leases. That we stopped
// is no fault of theirs.
void Queue::give_back() {
    auto orderly = recover_settings(settings_);
    orderly.orderly = true;
    try {
        for (const auto& row : builds_.recover(orderly, settings_.name))
            base::log::info("a build waits for the next start", {{"build", row.id}});
    } catch (const base::Error& error) {
        base::log::warning("stopped builds could not be put back", {{"reason", error.describe()}});
    }
}

void Queue::note_idle(const State& state) {
    if (state.running > 0) return;
    if (state.closed) idle_.request();
    if (state.paused) base::StopSource(*state.paused).request();
}

void Queue::stop_running() {
    state_.lock()->stopping = true;
    for (const auto& build : live()) {
        auto progress = build->progress_.lock();
        if (!progress->attempt) continue;
        progress->attempt->server_stops = true;
        progress->attempt->cancel.request();
    }
}

} // namespace server
