// Webhooks in: what an app listens to, and the ledger of what came. Notices out: what forges and
// other servers are still to be told. Secrets are sealed (base::KeyRing, context "hook/ID"). Any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Database;

struct Hook {
    std::string id; // "h" and 12 characters: part of its URL
    std::string app;
    std::string kind;       // "github", "gitlab", "gitea", "generic"
    std::string repository; // "owner/repo"
    std::string clone_url;  // fetched from here and nowhere else
    std::string api_url;    // of the forge; empty: nobody is told
    std::string branch;
    std::string sealed_secret;
    std::string sealed_token;   // of the forge; empty: none
    std::string sealed_ssh_key; // private half of the deploy key; empty: HTTPS
    std::string ssh_public_key;
    std::string known_hosts;
    std::string options;       // JSON: pull_requests, forks, wait_for_ci, skip_marks, statuses...
    std::string repository_id; // the forge's own, learnt from the first delivery; then compared
    std::string head;          // last commit seen on the branch
    std::int64_t created = 0;
    std::int64_t checked = 0; // when the branch head was last compared
};

struct Delivery {
    std::int64_t number = 0; // in the order they came
    std::string hook;
    std::string delivery; // the sender's id; unique within the hook
    std::string event;
    std::string ref;
    std::string commit;
    std::string state;   // "accepted", "ignored", "waiting" (for CI), "built", "failed"
    std::string reason;  // of ignored and failed ones
    std::string build;   // id
    std::string content; // JSON: what was read from the body, enough to act on it again
    std::string body_sha256;
    std::int64_t received = 0;
    std::int64_t replays = 0;
};

// A webhook with accepted deliveries that nobody has looked at.
struct OpenHook {
    std::string hook;
    std::string share; // of whom its builds are: as the queue counts them (an owner, or an app)
    std::int64_t oldest = 0; // number of a delivery
    std::int64_t count = 0;
};

class Hooks {
  public:
    explicit Hooks(Database& database) : database_(database) {}
    void add(const Hook& hook);
    void update(const Hook& hook); // all but id, app, created and what is sealed
    std::optional<Hook> find(std::string_view id);
    std::vector<Hook> list(std::string_view app); // empty: of every app
    void remove(std::string_view id);

    // False: a delivery of this id is there already; it is left as it was.
    bool record(Delivery& delivery); // fills in `number`
    // The same, as long as the webhook still says what the delivery was decided by: its kind,
    // repository, branch, secret and options. One that was removed says nothing any more.
    enum class Recorded { yes, there_already, webhook_changed };
    Recorded record(Delivery& delivery, const Hook& decided_by);
    void update(const Delivery& delivery); // state, reason, build, replays
    // State, reason and build of those that are still accepted; in one transaction.
    void settle(const std::vector<Delivery>& deliveries);
    std::optional<Delivery> find_delivery(std::string_view hook, std::string_view delivery);
    std::vector<Delivery> list_deliveries(std::string_view hook, int limit, int offset = 0);
    std::int64_t count_deliveries(std::string_view hook);
    std::vector<OpenHook> list_open_hooks(); // the one with the oldest delivery first
    std::vector<Delivery> list_open(std::string_view hook, int limit); // accepted, oldest first
    std::vector<Delivery> list_waiting(std::string_view hook, std::string_view commit);
    // Of this commit, the newest first: among them what CI said of it.
    std::vector<Delivery> list_ignored(std::string_view hook, std::string_view commit, int limit);
    // Received before then; one that is still to be acted upon stays, however old.
    int count_deliveries_before(std::int64_t time);
    int remove_deliveries_before(std::int64_t time);

  private:
    Database& database_;
};

// Something to say to another server, kept until it was said or given up.
struct Notice {
    std::int64_t number = 0;
    std::string kind; // "status", "deployment", "event"
    std::string app;
    std::string target;  // hook or subscription id
    std::string subject; // build id: notices of one target and subject go out in order
    std::string payload; // JSON
    std::string state;   // "open", "sent", "failed"
    std::string reason;
    int attempts = 0;
    std::int64_t created = 0;
    std::int64_t due = 0; // not before
};

// Who else is told about an app's builds: signed webhooks out.
struct Subscription {
    std::string id; // "n" and 12 characters
    std::string app;
    std::string url;
    std::string sealed_secret;       // context "subscription/ID"
    std::vector<std::string> events; // "build.queued", ...; empty: all
    std::int64_t created = 0;
};

class Notices {
  public:
    explicit Notices(Database& database) : database_(database) {}
    void add(const Notice& notice);
    // Open ones that are due, of each target the one that has been due for longest and waits for no
    // older one of its subject.
    std::vector<Notice> list_due(std::int64_t now, int limit);
    void update(const Notice& notice); // payload, state, reason, attempts, due
    std::vector<Notice> list(std::string_view target, int limit);                   // newest first
    std::vector<Notice> list_of(std::string_view target, std::string_view subject); // oldest first
    int remove_before(std::int64_t time); // but for open ones
    int count_before(std::int64_t time);  // those that would leave
    std::optional<std::int64_t> next_due();

    void add(const Subscription& subscription);
    std::vector<Subscription> list_subscriptions(std::string_view app);
    std::optional<Subscription> find_subscription(std::string_view id);
    void remove_subscription(std::string_view id);

  private:
    Database& database_;
};

} // namespace apps
