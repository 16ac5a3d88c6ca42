// Deliveries that never came: a thread of Webhooks. Forges send each once (GitHub) or a few times,
// and a server that was away heard none of them.
#include "webhooks.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <poll.h>
#include <random>
#include <sys/eventfd.h>

namespace server {
namespace {

using base::Error;
using Clock = std::chrono::steady_clock;

// After a start not all forges are called at once.
constexpr auto longest_first_wait = std::chrono::seconds(30);
// The database is away: nothing is lost meanwhile.
constexpr auto pause_after_error = std::chrono::seconds(30);

// A part of the time between `least` and `most`, for many servers and webhooks to spread.
Clock::duration part_of(std::chrono::seconds time, double least, double most) {
    static thread_local std::mt19937 chance{std::random_device{}()};
    return std::chrono::duration_cast<Clock::duration>(
        time * std::uniform_real_distribution<double>(least, most)(chance));
}

} // namespace

void Webhooks::check(const base::Stop& stop) {
    std::map<std::string, Clock::time_point> due;
    const auto started = apps::now_milliseconds();
    while (!stop.requested()) {
        auto wake = Clock::time_point::max();
        try {
            due = check_due(due, started, stop);
            for (const auto& [id, when] : due) wake = std::min(wake, when);
        } catch (const std::exception& error) {
            base::log::error("webhooks could not be checked", {{"reason", error.what()}});
            wake = Clock::now() + pause_after_error;
        }
        const auto bounded = wake == Clock::time_point::max()
                                 ? stop
                                 : stop.within(std::max<Clock::duration>(
                                       wake - Clock::now(), std::chrono::milliseconds(10)));
        bounded.wait_for(added_.get(), POLLIN);
        eventfd_t times = 0;
        ::eventfd_read(added_.get(), &times);
    }
}

// Looks at those whose time has come; returns when each one's comes next.
std::map<std::string, Clock::time_point>
Webhooks::check_due(const std::map<std::string, Clock::time_point>& due, std::int64_t started,
                    const base::Stop& stop) {
    std::map<std::string, Clock::time_point> next;
    for (const auto& hook : hooks_.list("")) {
        const auto known = due.find(hook.id);
        const auto first = hook.created >= started // added just now
                               ? Clock::duration(0)
                               : part_of(std::min<std::chrono::seconds>(longest_first_wait,
                                                                        settings_.check_interval),
                                         0, 1);
        auto when = known == due.end() ? Clock::now() + first : known->second;
        if (when <= Clock::now()) {
            check_hook(hook, stop);
            when = Clock::now() + part_of(settings_.check_interval, 0.9, 1.1);
        }
        next[hook.id] = when;
    }
    return next;
}

void Webhooks::check_hook(const apps::Hook& hook, const base::Stop& stop) {
    const auto ref = "refs/heads/" + hook.branch;
    std::string head;
    try {
        const auto heads =
            remotes::list_refs(repository_of(hook, keys_), {ref}, settings_.remotes, stop);
        if (const auto it = heads.find(ref); it != heads.end()) head = it->second;
        state_.lock()->problems.erase(hook.id);
    } catch (const Error& error) {
        if (!stop.requested()) note_problem(hook, error);
        return;
    }
    note_seen(hook.id, head);
}

void Webhooks::note_problem(const apps::Hook& hook, const Error& error) {
    auto state = state_.lock();
    auto& problem = state->problems[hook.id];
    if (problem != error.message()) // once, not every ten minutes
        base::log::warning("a webhook's repository cannot be read",
                           {{"webhook", hook.id}, {"reason", error.describe()}});
    problem = error.message();
}

// `head`: of the branch, as the forge has it now; empty: there is no such branch.
void Webhooks::note_seen(const std::string& id, const std::string& head) {
    const auto hook = hooks_.find(id); // a push may have come while the forge was asked
    if (!hook) return;
    const auto& before = hook->head;
    // The first look only remembers: what was there before the webhook is not its business. The
    // delivery first, then the head: a server that dies in between finds it once more.
    if (!before.empty() && !head.empty() && before != head) note_missed(*hook, head);
    change(id, [&](apps::Hook& row) {
        row.checked = apps::now_milliseconds();
        if (!head.empty() && row.head == before) row.head = head;
    });
}

void Webhooks::note_missed(const apps::Hook& hook, const std::string& commit) {
    const receiver::WebhookEvent event{.kind = receiver::EventKind::push,
                                       .name = "check",
                                       .delivery = "check-" + commit,
                                       .repository = hook.repository,
                                       .repository_id = hook.repository_id,
                                       .ref = "refs/heads/" + hook.branch,
                                       .before = hook.head,
                                       .after = commit};
    apps::Delivery delivery{.hook = hook.id,
                            .delivery = event.delivery,
                            .event = event.name,
                            .ref = event.ref,
                            .commit = commit,
                            .content = receiver::render_event(event),
                            .received = apps::now_milliseconds()};
    // By the row of just now: one that has changed since is no reason to forget the commit.
    const auto receipt = note(delivery, event, *opened_.open(hook), [&] {
        return hooks_.record(delivery) ? Recorded::yes : Recorded::there_already;
    });
    if (!receipt || receipt->fate != Receipt::Fate::accepted) return;
    base::log::info("a delivery that never came was found",
                    {{"webhook", hook.id}, {"commit", commit}});
    look();
}

} // namespace server
