#include "webhooks.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;
using receiver::WebhookEvent;
using Fate = Webhooks::Receipt::Fate;

constexpr int looked_back = 1000; // results of CI of one commit
constexpr const char* released = "CI is content: what waited for that is built";

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

const char* words_of(receiver::CiVerdict verdict) {
    switch (verdict) {
    case receiver::CiVerdict::success:
        return "CI is content; no push waits for that";
    case receiver::CiVerdict::failure:
        return "CI is not content";
    case receiver::CiVerdict::pending:
        return "CI has not come to an end";
    case receiver::CiVerdict::none:
        break;
    }
    return "this part of CI was left out";
}

base::UniqueFd make_eventfd() {
    base::UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) base::throw_errno("could not make an eventfd");
    return fd;
}

} // namespace

Webhooks::Webhooks(apps::Hooks& hooks, const base::KeyRing& keys, Submit submit, Settings settings)
    : hooks_(hooks), keys_(keys), submit_(std::move(submit)), settings_(std::move(settings)),
      opened_(keys), accepted_(make_eventfd()), added_(make_eventfd()) {
    look(); // at what the server's last life left
    threads_.start([this](const base::Stop& stop) { build(stop); });
    if (settings_.check_interval.count() > 0)
        threads_.start([this](const base::Stop& stop) { check(stop); });
}

Webhooks::~Webhooks() = default;

void Webhooks::look() noexcept {
    if (!called_.exchange(true)) ::eventfd_write(accepted_.get(), 1);
}

apps::Hook Webhooks::find(std::string_view id) {
    auto hook = hooks_.find(id);
    if (!hook) opened_.forget(id);
    if (!hook)
        throw Error(ErrorKind::not_found, "there is no webhook " + base::quoted(id.substr(0, 40)));
    return std::move(*hook);
}

MadeHook Webhooks::add(const NewHook& wanted, const base::Stop& stop) {
    auto made = make_hook(wanted, settings_.remotes, stop);
    {
        const auto kept = keys_.keep();
        seal_hook(made, keys_);
        hooks_.add(made.hook);
    }
    ::eventfd_write(added_.get(), 1);
    return made;
}

std::string Webhooks::problem_of(const std::string& hook) {
    auto state = state_.lock();
    const auto it = state->problems.find(hook);
    return it == state->problems.end() ? "" : it->second;
}

// Two threads change a webhook's row; each rereads it under the lock.
void Webhooks::change(const std::string& hook, const std::function<void(apps::Hook&)>& edit) {
    const auto held = state_.lock();
    auto row = hooks_.find(hook);
    if (!row) return; // removed meanwhile
    edit(*row);
    hooks_.update(*row);
}

void Webhooks::note_head(const apps::Hook& hook, const std::string& commit) {
    if (hook.head != commit) change(hook.id, [&](apps::Hook& row) { row.head = commit; });
}

Webhooks::Opened Webhooks::reopen(std::string_view id) {
    return opened_.open(find(id));
}

// Each webhook has a limit of its own: whoever sends without end keeps no other's deliveries out.
void Webhooks::refuse_more(const std::string& hook) {
    auto open = open_.lock();
    const auto it = open->find(hook);
    if (it == open->end() || it->second < settings_.most_open) return;
    throw Error(ErrorKind::limit_exceeded,
                "too many deliveries of this webhook wait to be looked at",
                "Send it again later; the head of the branch is looked at in any case.");
}

void Webhooks::note_open(const std::string& hook) {
    ++(*open_.lock())[hook];
}

void Webhooks::note_not_open(const std::string& hook) {
    auto open = open_.lock();
    if (auto& count = (*open)[hook]; count > 0) --count;
}

// Counted before its row is there: who counts the rows meanwhile may miss it, and never has it
// twice.
Webhooks::Recorded Webhooks::keep_open(const std::string& hook,
                                       const std::function<Recorded()>& keep) {
    note_open(hook);
    try {
        const auto kept = keep();
        if (kept != Recorded::yes) note_not_open(hook);
        return kept;
    } catch (...) {
        note_not_open(hook);
        throw;
    }
}

void Webhooks::expect(std::string_view id) {
    if (!opened_.find(id)) reopen(id);
}

// What is known of the webhook may be older than its row: nobody is refused by that.
Webhooks::Opened Webhooks::open_for(std::string_view id, const receiver::WebhookHeaders& headers,
                                    std::string_view body) {
    const auto holds = [&](const OpenedHook& hook) {
        return receiver::verify(receiver::parse_forge(hook.row.kind), headers, body,
                                hook.secret.reveal());
    };
    const auto known = opened_.find(id);
    if (known && holds(*known)) return known;
    auto now = reopen(id);
    if (now == known || !holds(*now))
        throw Error(ErrorKind::unauthenticated, "the webhook's signature is missing or wrong",
                    "The secret in the forge's settings must be the one that was shown when the "
                    "webhook was added.");
    return now;
}

// A name can be given up and taken by another: from the first delivery on the number counts.
Webhooks::Opened Webhooks::learn_repository(Opened hook, const WebhookEvent& event) {
    if (!hook->row.repository_id.empty() || event.repository_id.empty() ||
        !receiver::concerns(event, hook->settings))
        return hook;
    change(hook->row.id, [&](apps::Hook& row) {
        if (row.repository_id.empty()) row.repository_id = event.repository_id;
    });
    return reopen(hook->row.id);
}

Webhooks::Receipt Webhooks::receive(std::string_view id, const receiver::WebhookHeaders& headers,
                                    std::string_view body) {
    for (;;) {
        auto hook = open_for(id, headers, body);
        refuse_more(hook->row.id);
        const auto event =
            receiver::parse_webhook(receiver::parse_forge(hook->row.kind), headers, body);
        hook = learn_repository(std::move(hook), event);
        apps::Delivery delivery{.hook = hook->row.id,
                                .delivery = event.delivery,
                                .event = event.name.empty() ? std::string(to_string(event.kind))
                                                            : base::printable(event.name),
                                .ref = base::printable(event.ref),
                                .commit = base::printable(event.after),
                                .content = receiver::render_event(event),
                                .body_sha256 = base::sha256_hex(body),
                                .received = apps::now_milliseconds()};
        if (auto receipt =
                note(delivery, event, *hook, [&] { return hooks_.record(delivery, hook->row); }))
            return std::move(*receipt);
        reopen(id); // decided again, by what the webhook says now
    }
}

apps::Delivery Webhooks::replay(const apps::Hook& hook, const std::string& id) {
    auto delivery = hooks_.find_delivery(hook.id, id);
    if (!delivery)
        throw Error(ErrorKind::not_found,
                    "there is no delivery " + base::quoted(id.substr(0, 100)) + " of this webhook");
    ++delivery->replays;
    note(*delivery, receiver::read_event(delivery->content), *opened_.open(hook), [&] {
        hooks_.update(*delivery);
        return Recorded::yes;
    });
    look();
    return *delivery;
}

std::optional<Webhooks::Receipt> Webhooks::note(apps::Delivery& delivery, const WebhookEvent& event,
                                                const OpenedHook& hook,
                                                const std::function<Recorded()>& keep) {
    const auto decision = receiver::decide(event, hook.settings);
    std::visit(Overloaded{[&](const receiver::BuildCommit&) { delivery.state = "accepted"; },
                          [&](const receiver::WaitForCi&) { delivery.state = "waiting"; },
                          [&](const receiver::IgnoreEvent& ignored) {
                              delivery.state = "ignored";
                              delivery.reason = ignored.reason;
                          },
                          [&](const receiver::CiResult& result) {
                              delivery.state = "ignored";
                              delivery.reason = words_of(result.verdict);
                          }},
               decision);
    if (delivery.state != "ignored") delivery.reason.clear();
    const auto kept = delivery.state == "accepted" ? keep_open(hook.row.id, keep) : keep();
    if (kept == Recorded::webhook_changed) return std::nullopt;
    if (kept == Recorded::there_already) return Receipt{Fate::duplicate, delivery.delivery, ""};
    const auto* waits = std::get_if<receiver::WaitForCi>(&decision);
    if (waits && ci_of(hook, waits->commit) == receiver::CiVerdict::success) {
        delivery.state = "accepted";
        note_open(hook.row.id);
        hooks_.update(delivery);
    }
    if (const auto* result = std::get_if<receiver::CiResult>(&decision))
        if (const auto came = release_waiting(hook, *result); !came.empty()) {
            delivery.reason = came;
            hooks_.update(delivery);
            if (came == released) return Receipt{Fate::accepted, delivery.delivery, ""};
        }
    // One that must not be built must not be found again as missed, either.
    if (delivery.state != "accepted" && event.kind == receiver::EventKind::push && !event.deleted &&
        event.ref == "refs/heads/" + hook.row.branch)
        note_head(find(hook.row.id), event.after);
    return Receipt{delivery.state == "ignored" ? Fate::ignored : Fate::accepted, delivery.delivery,
                   delivery.reason};
}

// Results of CI may overtake the push; and the word of one is not that of all.
receiver::CiVerdict Webhooks::ci_of(const OpenedHook& hook, const std::string& commit) {
    std::vector<WebhookEvent> results;
    for (const auto& earlier : hooks_.list_ignored(hook.row.id, commit, looked_back)) {
        auto event = receiver::read_event(earlier.content);
        if (std::holds_alternative<receiver::CiResult>(receiver::decide(event, hook.settings)))
            results.push_back(std::move(event));
    }
    return receiver::combine(results);
}

std::string Webhooks::release_waiting(const OpenedHook& hook, const receiver::CiResult& result) {
    const auto waiting = hooks_.list_waiting(hook.row.id, result.commit);
    if (waiting.empty()) return {};
    const auto all = ci_of(hook, result.commit);
    const bool good = all == receiver::CiVerdict::success;
    for (auto delivery : waiting) {
        if (good) delivery.state = "accepted";
        // Another one's failure stays the reason.
        if (result.verdict == receiver::CiVerdict::failure)
            delivery.reason = "CI is not content: " + base::printable(result.name);
        else if (all != receiver::CiVerdict::failure)
            delivery.reason.clear();
        if (good) note_open(hook.row.id);
        hooks_.update(delivery);
    }
    if (good) return released;
    return result.verdict == receiver::CiVerdict::success
               ? "this part of CI is content, another one is not or goes on"
               : words_of(result.verdict);
}

} // namespace server
