// Webhooks in: from a POST's bytes to a row in the ledger, from the ledger to builds, and the
// deliveries that never came. The server's main owns the one Webhooks; any thread may call it. Two
// threads of its own: one submits builds of what was accepted (also by the server's last life), one
// compares branches with what was built, and sleeps while there are no webhooks.
#pragma once

#include "server/queue.h"

#include "opened_hooks.h"
#include "webhook_hook.h"

#include "base/fd.h"

#include <atomic>
#include <functional>
#include <set>

namespace server {

class Webhooks {
  public:
    struct Settings {
        std::chrono::seconds check_interval{600}; // 0: never
        remotes::Settings remotes;                // whom the server may call, with what
        // Accepted deliveries of one webhook that nobody has looked at.
        std::int64_t most_open = 50'000;
    };
    // Queue::submit; returns the build's id.
    using Submit = std::function<std::string(Submission)>;

    Webhooks(apps::Hooks& hooks, const base::KeyRing& keys, Submit submit, Settings settings);
    ~Webhooks();

    // Throws Error{not_found}.
    apps::Hook find(std::string_view id);
    // What the app's owner asked for, now in the store; its branch is looked at soon.
    MadeHook add(const NewHook& wanted, const base::Stop& stop);
    // What keeps the branch from being looked at; empty: nothing.
    std::string problem_of(const std::string& hook);

    struct Receipt {
        enum class Fate { accepted, ignored, duplicate } fate = Fate::ignored;
        std::string delivery;
        std::string reason; // of one that was ignored
    };
    // Before a body is read for it. Throws Error{not_found} when there is no such webhook.
    void expect(std::string_view id);
    // The delivery is in the ledger when this returns; what comes of it begins with look(). Throws
    // Error{not_found}, Error{unauthenticated} for a signature that does not hold,
    // Error{invalid_input} for a body that the forge does not send, Error{limit_exceeded} while too
    // much of the same webhook is still to be looked at.
    Receipt receive(std::string_view id, const receiver::WebhookHeaders& headers,
                    std::string_view body);
    void look() noexcept;
    // Decides once more, by the settings of today. A commit that waits, runs or has an image is not
    // built again.
    apps::Delivery replay(const apps::Hook& hook, const std::string& delivery);

  private:
    struct State {
        std::map<std::string, std::string> problems; // by webhook
    };

    using Opened = std::shared_ptr<const OpenedHook>;
    using Recorded = apps::Hooks::Recorded;

    Opened reopen(std::string_view id);
    Opened open_for(std::string_view id, const receiver::WebhookHeaders& headers,
                    std::string_view body);
    Opened learn_repository(Opened hook, const receiver::WebhookEvent& event);
    // Fills in the state, and lets pushes go on that wait for this very result of CI. Empty: it
    // was not kept, for the webhook has changed.
    std::optional<Receipt> note(apps::Delivery& delivery, const receiver::WebhookEvent& event,
                                const OpenedHook& hook, const std::function<Recorded()>& keep);
    // What came of it, for the result's own delivery; empty: nothing waits.
    std::string release_waiting(const OpenedHook& hook, const receiver::CiResult& result);
    receiver::CiVerdict ci_of(const OpenedHook& hook, const std::string& commit);
    void change(const std::string& hook, const std::function<void(apps::Hook&)>& edit);
    void note_head(const apps::Hook& hook, const std::string& commit);
    void refuse_more(const std::string& hook);
    void note_open(const std::string& hook);
    void note_not_open(const std::string& hook);
    Recorded keep_open(const std::string& hook, const std::function<Recorded()>& keep);

    void build(const base::Stop& stop);
    bool build_open(const base::Stop& stop);
    struct Round;
    std::vector<apps::OpenHook> list_open();
    void build_some(const apps::OpenHook& open, Round& round, const base::Stop& stop);
    enum class Built { yes, no, later };
    Built build_one(apps::Delivery& delivery, const apps::Hook& hook);

    using Clock = std::chrono::steady_clock;
    void check(const base::Stop& stop);
    std::map<std::string, Clock::time_point>
    check_due(const std::map<std::string, Clock::time_point>& due, std::int64_t started,
              const base::Stop& stop);
    void note_problem(const apps::Hook& hook, const base::Error& error);
    void note_seen(const std::string& id, const std::string& head);
    void check_hook(const apps::Hook& hook, const base::Stop& stop);
    void note_missed(const apps::Hook& hook, const std::string& commit);

    apps::Hooks& hooks_;
    const base::KeyRing& keys_;
    const Submit submit_;
    const Settings settings_;
    OpenedHooks opened_;
    base::Guarded<State> state_; // also held while a webhook's row is changed
    // Accepted ones of each webhook: as the builder's thread counted, and since.
    base::Guarded<std::map<std::string, std::int64_t>> open_;
    std::atomic<bool> called_ = false; // look() since the builder's thread last woke
    // Of the builder's thread: which of them got its last build when.
    std::map<std::string, std::uint64_t> turns_;
    std::uint64_t turn_ = 0;
    base::UniqueFd accepted_, added_; // eventfds
    base::TaskGroup threads_;
};

} // namespace server
