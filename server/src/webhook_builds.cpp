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

constexpr int page = 1000;
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

std::string sender_of(const apps::Hook& hook, const apps::Delivery& delivery) {
    const auto sender = receiver::read_event(delivery.content).sender;
    return hook.kind + (sender.empty() ? "" : ":" + base::printable(sender));
}

} // namespace

// What is known while one page of deliveries is gone through.
struct Webhooks::Round {
    std::map<std::string, std::optional<apps::Hook>> hooks;
    std::map<std::string, std::string> heads;  // by webhook
    std::map<std::string, std::string> builds; // by key
    std::set<std::string> later;               // keys
    std::vector<apps::Delivery> settled;       // still to be written down
};

void Webhooks::build(const base::Stop& stop) {
    for (bool all = true;;) {
        (all ? stop : stop.within(pause)).wait_for(accepted_.get(), POLLIN);
        if (stop.requested()) return;
        eventfd_t times = 0;
        ::eventfd_read(accepted_.get(), &times);
        called_ = false;
        try {
            all = build_open(stop);
        } catch (const Error& error) {
            base::log::error("deliveries wait", {{"reason", error.describe()}});
            all = false;
        }
        // A forge that catches up sends many: they are looked at together.
        if (stop.wait(between_rounds)) return;
    }
}

// False: some are still open, and must be tried again.
bool Webhooks::build_open(const base::Stop& stop) {
    for (;;) {
        open_ = 0; // counted anew: what comes from now on
        auto deliveries = hooks_.list_open(page);
        const bool last = deliveries.size() < static_cast<std::size_t>(page);
        if (!build_round(std::move(deliveries), stop)) return false;
        if (last) return true;
    }
}

bool Webhooks::build_round(std::vector<apps::Delivery> deliveries, const base::Stop& stop) {
    Round round;
    for (auto& delivery : deliveries) {
        if (stop.requested()) break;
        build_delivery(round, delivery);
    }
    hooks_.settle(round.settled);
    for (const auto& [id, head] : round.heads) note_head(*round.hooks[id], head);
    if (round.later.empty()) return !stop.requested();
    open_ += static_cast<int>(deliveries.size());
    return false;
}

void Webhooks::build_delivery(Round& round, apps::Delivery& delivery) {
    auto [it, fresh] = round.hooks.try_emplace(delivery.hook);
    if (fresh) it->second = hooks_.find(delivery.hook);
    if (!it->second) return; // removed, and its deliveries with it
    const auto& hook = *it->second;
    if (delivery.ref == "refs/heads/" + hook.branch) round.heads[hook.id] = delivery.commit;
    const auto key = once_key(hook, delivery);
    if (round.later.contains(key)) return;
    auto& build = round.builds[key];
    if (!build.empty()) {
        delivery.state = "built";
        delivery.build = build;
    } else if (build_one(delivery, hook) == Built::later) {
        round.later.insert(key);
        return;
    } else {
        build = delivery.build;
    }
    round.settled.push_back(std::move(delivery));
}

Webhooks::Built Webhooks::build_one(apps::Delivery& delivery, const apps::Hook& hook) {
    try {
        delivery.build = submit_({.app = hook.app,
                                  .ref = delivery.ref,
                                  .commit = delivery.commit,
                                  .pushed_by = sender_of(hook, delivery),
                                  .source = source_of(hook, delivery.ref, delivery.commit),
                                  .door = "webhook",
                                  .priority = 1,
                                  .durable = true,
                                  .hook = hook.id,
                                  .once = once_key(hook, delivery)});
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
