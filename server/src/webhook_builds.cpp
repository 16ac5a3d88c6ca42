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

constexpr int batch = 1000;
// The queue is full, or the database busy: nothing is lost meanwhile.
constexpr auto pause = std::chrono::seconds(5);

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

void Webhooks::build(const base::Stop& stop) {
    for (bool all = true;;) {
        (all ? stop : stop.within(pause)).wait_for(accepted_.get(), POLLIN);
        if (stop.requested()) return;
        eventfd_t times = 0;
        ::eventfd_read(accepted_.get(), &times);
        try {
            all = build_open(stop);
        } catch (const Error& error) {
            base::log::error("deliveries wait", {{"reason", error.describe()}});
            all = false;
        }
    }
}

// False: some are still open, and must be tried again.
bool Webhooks::build_open(const base::Stop& stop) {
    for (;;) {
        open_ = 0; // counted anew: what comes from now on
        auto deliveries = hooks_.list_open(batch);
        if (deliveries.empty()) return true;
        std::map<std::string, std::optional<apps::Hook>> hooks;
        std::map<std::string, std::string> heads;
        std::map<std::string, std::string> builds; // of this round, by key
        std::set<std::string> later;
        for (auto& delivery : deliveries) {
            if (stop.requested()) return false;
            auto [it, fresh] = hooks.try_emplace(delivery.hook);
            if (fresh) it->second = hooks_.find(delivery.hook);
            if (!it->second) continue; // removed, and its deliveries with it
            const auto& hook = *it->second;
            if (delivery.ref == "refs/heads/" + hook.branch) heads[hook.id] = delivery.commit;
            const auto key = once_key(hook, delivery);
            if (later.contains(key)) continue;
            auto& build = builds[key];
            if (!build.empty()) {
                delivery.state = "built";
                delivery.build = build;
                hooks_.update(delivery);
            } else if (build_one(delivery, hook) == Built::later) {
                later.insert(key);
            } else {
                build = delivery.build;
            }
        }
        for (const auto& [id, head] : heads) note_head(*hooks[id], head);
        if (later.empty()) continue;
        open_ += static_cast<int>(deliveries.size());
        return false;
    }
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
    hooks_.update(delivery);
    return delivery.state == "built" ? Built::yes : Built::no;
}

} // namespace server
