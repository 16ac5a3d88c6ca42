// The builds' table: the durable queue and its history. A row is written before each side effect;
// a published row is the commit point. Whoever works on a build holds a lease on its row and says
// its fence with every write: a worker that was given up on cannot write over its successor.
// Times of leases are the database's own clock. Any thread, any process on one database.
#pragma once

#include "apps/hooks.h"
#include "apps/records.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apps {

class Database;
class Session;

// A build that a worker holds.
struct Claim {
    Build build;            // running, its attempt counted
    std::int64_t fence = 0; // grows with each claim of the row
};

// The request that asks for a build, by its Idempotency-Key (apps/tokens.h).
struct RequestKey {
    std::string caller;
    std::string key;
};

struct QueuePlace {
    std::int64_t ahead = 0;  // builds that would start or end before it: running ones included
    std::int64_t queued = 0; // all that wait
};

struct BuildFilter {
    std::string app;                    // empty: of every app
    std::vector<std::string> apps = {}; // when not empty: of these alone (a token's)
    std::optional<BuildState> state = {};
    int limit = 50; // the newest ones
    int offset = 0;
};

struct RecoverSettings {
    int most_attempts = 3;
    std::string lost_reason;   // of a build whose source died with its server
    std::string poison_reason; // of one that took its worker down each time
    // Whether its finished image lies here though its row could not be parked: it is parked now.
    // It runs within the transaction, maybe again, and neither throws nor calls a Database. Empty:
    // never.
    std::function<bool(std::string_view id)> has_image = {};
    // The worker itself gives its builds back, in good order: that attempt does not count.
    bool orderly = false;
};

// Which builds of a `once` key are no answer to it: another one is made. `lost`: those that failed
// through nobody's doing (lost, broken). `without_image`: all that ended and were not published;
// for somebody who asks for that very build.
enum class Replace { lost, without_image };

// Of superseded builds. queued: those of the same ref. parked: finished images that would move the
// same tag back.
enum class Older { queued, parked };

// What is to be said of a build's new state: to the forge of the webhook that it came from, if any,
// and to the app's subscribers. It runs within the transaction that changes the state, on any
// thread, maybe again from its start: it calls no Database. What it throws undoes the change.
using WriteNotices = std::function<std::vector<Notice>(const Build&, const std::optional<Hook>&,
                                                       const std::vector<Subscription>&)>;

// How long a webhook's build waits before it counts as a person's.
inline constexpr std::chrono::milliseconds usual_aging = std::chrono::minutes(10);

class Builds {
  public:
    explicit Builds(Database& database) : database_(database) {}

    // From then on each change of a state stands in the table together with what `write` says of
    // it, and in the same order. Before other threads call.
    void write_notices_with(WriteNotices write) { write_notices_ = std::move(write); }

    // State received or queued. Throws Error{not_found} for an unknown app, Error{limit_exceeded}
    // when `most_queued` (0: no limit) wait already, counting `most_of_owner` of this owner.
    void add(const Build& build, std::int64_t most_queued = 0, std::int64_t most_of_owner = 0);
    // received -> queued; false when it is not received any more.
    bool enqueue(std::string_view id);
    // The same tree asked twice by a door that may not build twice: adds the build unless one with
    // this `once` key exists, but for those that `replace` names; returns the id of the one that is
    // there.
    // `once` is the app's: another app's key is another. An unanswered `request` knows the id from
    // the same moment on.
    std::string add_once(const Build& build, std::string_view once, std::int64_t most_queued = 0,
                         std::int64_t most_of_owner = 0,
                         const std::optional<RequestKey>& request = std::nullopt,
                         Replace replace = Replace::lost);

    // What `by` makes superfluous becomes superseded: of its app, and older than the source of
    // `by`. Their ids.
    std::vector<std::string> supersede(Older older, const Build& by, std::string_view reason);

    // The next one, if any: of an app of which none runs. In this order: people before webhooks
    // (after `aging` of waiting a webhook's counts as a person's), the owner of whom fewest run,
    // the owner whose last start is longest ago, the oldest. One transaction: two workers never
    // get the same row.
    std::optional<Claim> claim(std::string_view worker, std::chrono::milliseconds lease,
                               std::chrono::milliseconds aging = usual_aging);
    // One that is no wait in a queue, for whoever makes it works on it from its first moment (a
    // rebase): running at once, with `worker` as its holder, the only one of its app that runs,
    // while `parent` is the app's last release. Throws Error{already_exists} when either is not so,
    // Error{not_found} for an unknown app.
    Claim begin(const Build& build, std::string_view parent, std::string_view worker,
                std::chrono::milliseconds lease);
    // False: the lease is lost, the worker must stop at once. A lease that ran out is lost once
    // recover() has taken the build away, not before.
    bool renew(std::string_view id, std::int64_t fence, std::chrono::milliseconds lease);
    // Phases and the state running or exporting. Throws Error{denied} when the lease is lost.
    void note(const Build& build, std::int64_t fence);
    // The registry does not take a finished image: the row stays exporting with its reason, nobody
    // holds it, other builds of its app go on, and its worker sends it again after `pause`. Throws
    // Error{denied} when the lease is lost.
    void park(const Build& build, std::int64_t fence, std::chrono::milliseconds pause);
    // The parked build of this worker that has waited longest, once its time has come and while its
    // app builds nothing. Sending is no new attempt at the build. One that a published image has
    // overtaken, of a newer source, becomes superseded instead.
    std::optional<Claim> claim_parked(std::string_view worker, std::chrono::milliseconds lease);
    // A final state. Throws Error{denied} when the lease is lost or the row is final already.
    void finish(const Build& build, std::int64_t fence);
    // Of one that nobody holds (received, queued, parked): cancelled, superseded, refused. False
    // when somebody holds it or it is over.
    bool close(const Build& build);

    // Anybody: asks whoever holds it to stop; renew() of the holder says so by wants_cancel().
    bool request_cancel(std::string_view id, std::string_view why); // false: it is over
    std::optional<std::string> wants_cancel(std::string_view id);

    // Leases that ran out (`every_of`: all leases of this worker, after its restart): queued again
    // where the source is durable and attempts are left, cancelled where that was asked, else lost.
    // Received rows of a dead server
    // are the caller's to judge: list them. Returns what changed.
    std::vector<Build> recover(const RecoverSettings& settings, std::string_view every_of = {});

    QueuePlace place(std::string_view id);
    // The mean of the last (at most 20) builds of the app that ran, in milliseconds; empty: none.
    std::optional<std::int64_t> usual_duration(std::string_view app);

    std::optional<Build> find(std::string_view id);
    std::vector<Build> list(const BuildFilter& filter); // newest first
    std::int64_t count(const BuildFilter& filter);
    std::optional<Build> last_published(std::string_view app);
    // Those that made an image of which the inputs are known, and ended after `since`; newest
    // first, at most `limit`. Of proposals (pull requests) those of this ref alone.
    std::vector<Build> list_makers(std::string_view app, std::string_view ref, std::int64_t since,
                                   int limit);
    std::vector<std::pair<BuildState, std::int64_t>> count_by_state();
    // Of URLs that stand in their rows openly, as older programs wrote them; and such a row again,
    // once it is sealed.
    std::vector<Build> list_open_sources();
    void replace_source(const Build& build); // source, sealed_source

    // Retention: rows that are over and older than `before`, but not the newest `keep` of each app
    // nor its last published one. The caller removes what belongs to them first.
    std::vector<Build> list_expired(std::int64_t before, int keep);
    void remove(std::string_view id);

  private:
    void write_notices(Session& sql, const Build& build);
    void write_notices(Session& sql, std::string_view id);

    Database& database_;
    WriteNotices write_notices_;
};

} // namespace apps
