// Builds from the moment they are accepted to their outcome: waiting in order, one at a time an
// app, as many at once as there are workers. The order, the leases and what survives are the
// table's (apps/builds.h); here are the workers and those who watch. The server's main owns the one
// Queue; any thread may call it. A row is written before each side effect; a published row is the
// commit point. It refuses to know who pushed over what, and what is inside a build.
#pragma once

#include "server/live_build.h"

#include "apps/store.h"
#include "builder/job.h"
#include "builder/worker.h"

#include "base/crypto.h"
#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace server {

struct Submission {
    std::string app;
    std::string ref;
    std::string commit;
    std::string pushed_by; // name of the key or the token
    builder::Source source;
    // Where the ref stood when the push began; empty: it does not matter. Once another push has
    // moved the ref git refuses this one, so that its build is not begun.
    std::string previous = {};
    std::string door = "git"; // "git", "api", "webhook"
    int priority = 0;         // 0: somebody waits; 1: a webhook
    bool durable = false;     // the source outlives the server: queued again after a crash
    builder::BuildOptions options = {};
    std::string hook = {}; // id of the webhook that it came from
    std::string once = {}; // asked again with the same key: the build that is there
    apps::Replace replace = apps::Replace::lost;  // unless it is one of these
    std::optional<apps::RequestKey> request = {}; // whose answer this build is
    bool hold = false;                            // received only, until accept()
    std::string retry_of = {}; // build whose source it is: it takes no newer one's turn
};

struct PublishedBuild;

struct QueueSettings {
    std::size_t workers = 1;
    std::size_t longest = 50;         // waiting builds
    std::size_t longest_of_owner = 0; // of these, one owner's; 0: no limit of its own
    std::string name = "local";       // of this server in the table: the same one after its restart
    std::chrono::milliseconds lease{15'000};
    int most_attempts = 3; // of a build that takes its worker down
    builder::WorkerCommand worker;
    std::filesystem::path logs_directory;
    std::uint64_t log_limit = 64u << 20;
    // Of images that their registry did not take; empty: none is kept. No more than `kept_bytes`
    // altogether and none for longer than `kept_for`.
    std::filesystem::path kept_directory = {};
    std::uint64_t kept_bytes = 5ull << 30;
    std::chrono::milliseconds kept_for = std::chrono::hours(7 * 24);
    const base::KeyRing* keys = nullptr; // for the environment of one build; null: none is taken
    // Makes the job, directories included; what it throws ends the build.
    std::function<builder::Job(const apps::Build&, const builder::Source&)> make_job;
    // Puts in what a row may not hold: the credentials of a source. May be empty.
    std::function<void(builder::Job&, const apps::Build&)> add_secrets;
    // An image has been published: its proof is put beside it before the build's row says so. What
    // it throws breaks the build. May be empty.
    std::function<void(const PublishedBuild&, const base::Stop&)> prove;
    // Removes what make_job made and the worker left.
    std::function<void(const builder::Job&)> clean_up;
    // Of a received build, after a restart: whether its door finished. Empty: never.
    std::function<bool(const apps::Build&)> has_arrived;
    // After each change of a build's state in the table, by the thread that made it. Two threads'
    // changes may be told the wrong way round: the table alone has the order (and the notices, see
    // apps::WriteNotices). It must neither block nor throw. May be empty.
    std::function<void(const apps::Build&)> on_change;
};

// Where a waiting build stands.
struct Standing {
    std::int64_t ahead = 0;
    std::optional<std::chrono::seconds> estimate; // until it begins; empty: nothing is known
};

class Queue {
  public:
    // Builds that this server's last life left are recovered before this returns.
    Queue(apps::Store& store, QueueSettings settings);
    ~Queue(); // stops what still runs

    // The build is in the table when this returns. Throws Error{unavailable} while the server
    // stops, Error{limit_exceeded} when it is full, and what the store throws: then there is no
    // build.
    std::shared_ptr<LiveBuild> submit(Submission submission);
    // A held one takes its place in the queue. False: it is over or unknown.
    bool accept(std::string_view id);

    std::shared_ptr<LiveBuild> find(std::string_view id); // null once it has ended
    bool has_builds_of(std::string_view app);
    // Also of another server on the same database. False when it has ended already.
    bool cancel(std::string_view id, std::string why);
    Standing standing(std::string_view id);

    // Begins no more builds until resume(), and waits until none runs or the stop comes: false
    // then, and they begin again. What is submitted meanwhile waits in its place.
    bool pause(const base::Stop& stop);
    void resume();

    // Takes and begins no more, and waits until those that run have ended or the stop comes; then
    // stops the rest. Waiting builds stay for the next start where their source is durable.
    void drain(const base::Stop& stop);

  private:
    using Build = std::shared_ptr<LiveBuild>;
    enum class Log { keep, remove };
    // Who serves what: the images that wait for a registry have a slot of their own, so that one
    // which takes what it is sent and never answers keeps no build waiting.
    enum class Slot { builds, kept_images };
    struct State {
        // Received, queued and running ones of this server.
        std::map<std::string, Build, std::less<>> live;
        std::set<std::string> doubted; // ids whose senders were told that there is no build
        std::uint64_t wakes = 0;       // slots look at the table again
        std::size_t submitting = 0;
        std::size_t idle = 0;                   // builds' slots that wait
        std::size_t running = 0;                // with those that look for a build
        bool closed = false;                    // no more submissions and claims
        std::optional<base::StopSource> paused; // no claims; requested once none runs
        bool stopping = false;                  // what begins all the same is stopped
        bool over = false;                      // the slots' threads end
    };

    Build find_or_show(const std::string& id);
    Build adopt(const apps::Build& row);
    void supersede_older(const apps::Build& row);
    void begin_waiting();
    bool is_there_after_all(const std::string& id);
    void close_doubted();
    void end_submission();
    void forget(const std::string& id, Log log);
    void close(LiveBuild& build, apps::BuildState state, std::string reason, std::string hint = {});
    void show_end(LiveBuild& build, const apps::Build& row);
    std::vector<Build> live();

    void serve(Slot slot, const base::Stop& stop);
    std::optional<apps::Claim> claim(Slot slot, const base::Stop& stop);
    void run(const apps::Claim& claimed);
    void release();
    void close_overtaken(const apps::Build& by);
    void wake_slots();

    void tend(const base::Stop& stop);
    void tend_once(bool renew);
    void renew_leases();
    void look_for_cancels();
    void take_back();
    void follow_others();
    void tell_standings();
    Standing standing_of(const apps::Build& row, std::int64_t ahead);

    void leave_waiting();
    void stop_running();
    void give_back();
    void note_idle(const State& state);

    apps::Builds& builds_;
    const QueueSettings settings_;
    base::Guarded<State> state_;
    base::StopSource idle_; // requested once drained
    base::UniqueFd tick_;   // the tender has something to do
    base::TaskGroup threads_;
};

} // namespace server
