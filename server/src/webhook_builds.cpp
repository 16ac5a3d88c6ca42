// From accepted deliveries to builds: a thread of Webhooks.
#include "webhooks.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <poll.h>
#include <sys/eventfd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

constexpr int batch = 250; // of one webhook, before it is the next one's turn
// The queue is full, or the database busy: nothing is lost meanwhile.
constexpr auto pause = std::chrono::seconds(5);
constexpr auto between_rounds = std::chrono::milliseconds(50);

// The same commit of the same branch is built once for an app, whatever is delivered how often and
// by how many webhooks.
std::string once_key(const apps::Hook& hook, const apps::Delivery& delivery) {
    auto repository = hook.repository;
    std::transform(repository.begin(), repository.end(), repository.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return hook.app + " " + repository + " " + delivery.ref + " " + delivery.commit;
}

std::string sender_of(const apps::Hook& hook, const receiver::WebhookEvent& event) {
    return hook.kind + (event.sender.empty() ? "" : ":" + base::printable(event.sender));
}

} // namespace

void Webhooks::build(const base::Stop& stop) {
    for (bool all = true;;) {
        (all ? stop : stop.within(pause)).wait_for(accepted_.get(), POLLIN);
        if (stop.requested()) return;
        eventfd_t times = 0;
        ::eventfd_read(accepted_.get(), &times);
        called_ = false;
        try {
            all = build_open(stop);
        } catch (const std::exception& error) {
            base::log::error("deliveries wait", {{"reason", error.what()}});
            all = false;
        }
        // A forge that catches up sends many: they are looked at together.
        if (stop.wait(between_rounds)) return;
    }
}

struct Webhooks::Round {
    std::map<std::string, std::string> builds; // by key
    std::set<std::string> held;                // shares whose builds must wait
};

// The share whose last build is longest ago first, so that places that become free go round.
std::vector<apps::OpenHook> Webhooks::list_open() {
    auto hooks = hooks_.list_open_hooks();
    std::map<std::string, std::int64_t> counts;
    for (const auto& open : hooks) counts[open.hook] = open.count;
    *open_.lock() = std::move(counts);
    const auto turn_of = [&](const apps::OpenHook& open) {
        const auto it = turns_.find(open.share);
        return it == turns_.end() ? 0 : it->second;
    };
    std::stable_sort(hooks.begin(), hooks.end(),
                     [&](const auto& a, const auto& b) { return turn_of(a) < turn_of(b); });
    return hooks;
}

// False: some are still open, and must be tried again. One whose queue is full keeps nobody else
// waiting: the others are read past it, a few of each at a time.
bool Webhooks::build_open(const base::Stop& stop) {
    Round round;
    for (;;) {
        const auto hooks = list_open();
        bool some = false;
        for (const auto& open : hooks) {
            if (round.held.contains(open.share)) continue;
            some = true;
            build_some(open, round, stop);
            if (stop.requested()) return false;
        }
        if (!some) return hooks.empty();
    }
}

void Webhooks::build_some(const apps::OpenHook& open, Round& round, const base::Stop& stop) {
    const auto hook = hooks_.find(open.hook);
    if (!hook) return; // removed, and its deliveries with it
    std::string head;
    std::vector<apps::Delivery> settled; // written down together
    for (auto& delivery : hooks_.list_open(hook->id, batch)) {
        if (stop.requested()) break;
        if (delivery.ref == "refs/heads/" + hook->branch) head = delivery.commit;
        auto& build = round.builds[once_key(*hook, delivery)];
        if (!build.empty() && delivery.replays == 0) {
            delivery.state = "built";
            delivery.build = build;
        } else if (build_one(delivery, *hook) == Built::later) {
            round.held.insert(open.share);
            break;
        } else {
            build = delivery.build;
            turns_[open.share] = ++turn_;
        }
        settled.push_back(std::move(delivery));
    }
    hooks_.settle(settled);
    if (!head.empty()) note_head(*hook, head);
}

Webhooks::Built Webhooks::build_one(apps::Delivery& delivery, const apps::Hook& hook) {
    try {
        const auto event = receiver::read_event(delivery.content);
        delivery.build = submit_(
            {.app = hook.app,
             .ref = delivery.ref,
             .commit = delivery.commit,
             .pushed_by = sender_of(hook, event),
             .source = source_of(hook, delivery.ref, delivery.commit),
             .door = "webhook",
             .priority = 1,
             .durable = true,
             .options = {.of_stranger = event.from_fork},
             .hook = hook.id,
             .once = once_key(hook, delivery),
             .replace = delivery.replays > 0 ? apps::Replace::without_image : apps::Replace::lost});
        base::failpoint("delivery_submitted");
        delivery.state = "built";
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::limit_exceeded || error.kind() == ErrorKind::unavailable) {
            base::log::warning("a delivery waits for its build",
                               {{"webhook", hook.id}, {"reason", error.describe()}});
            return Built::later;
        }
        base::log::error("a delivery cannot be built",
                         {{"webhook", hook.id}, {"reason", error.describe()}});
        delivery.state = "failed";
        delivery.reason = error.message();
    }
    return delivery.state == "built" ? Built::yes : Built::no;
}

} // namespace server
