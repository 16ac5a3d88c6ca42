// Builds from the moment they are accepted to their outcome: waiting in order, one at a time an
// app, as many at once as there are workers. The server's main owns the one Queue; any thread may
// call it. A row is written before each side effect; a published row is the commit point.
// It refuses to know who pushed over what, and what is inside a build.
#pragma once

#include "server/build_log.h"

#include "apps/store.h"
#include "builder/job.h"
#include "builder/worker.h"

#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace server {

// A build that is queued or running, shared by the queue and those who watch it.
class LiveBuild {
  public:
    LiveBuild(apps::Build row, builder::Source source, std::string previous,
              const std::filesystem::path& log_file, std::uint64_t log_limit);

    const std::string& id() const noexcept { return id_; }
    const std::string& app() const noexcept { return app_; }
    BuildLog& log() noexcept { return log_; }
    // The source has left the repository: the pusher may go.
    bool is_fetched() const noexcept { return fetched_; }
    // The final row, once it is in the store.
    std::optional<apps::Build> ended();

  private:
    friend class Queue;
    friend class BuildRun;
    const std::string id_;
    const std::string app_;
    const builder::Source source_;
    const std::string ref_;
    const std::string previous_;
    BuildLog log_;
    std::atomic<bool> fetched_ = false;
    std::atomic<bool> server_stops_ = false; // a cancel by the server itself, not by a person
    base::StopSource cancel_;
    base::Guarded<apps::Build> row_;
    base::Guarded<std::optional<apps::Build>> ended_;
    std::string cancelled_because_; // guarded by row_
    std::size_t told_position_ = 0; // the queue's lock
};

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
    bool hold = false;     // received only, until accept()
};

struct QueueSettings {
    std::size_t workers = 1;
    std::size_t longest = 50; // waiting builds
    builder::WorkerCommand worker;
    std::filesystem::path logs_directory;
    std::uint64_t log_limit = 64u << 20;
    // Makes the job, directories included; what it throws ends the build.
    std::function<builder::Job(const apps::Build&, const builder::Source&)> make_job;
    // Removes what make_job made and the worker left.
    std::function<void(const builder::Job&)> clean_up;
};

class Queue {
  public:
    Queue(apps::Store& store, QueueSettings settings);
    ~Queue(); // stops what still runs

    // Throws Error{unavailable} while the server stops, Error{limit_exceeded} when it is full, and
    // what the store throws: then there is no build.
    std::shared_ptr<LiveBuild> submit(Submission submission);

    std::shared_ptr<LiveBuild> find(std::string_view id); // null once it has ended
    bool has_builds_of(std::string_view app);
    // False when it has ended already.
    bool cancel(std::string_view id, std::string why);

    // Takes no more, and waits until all have ended or the stop comes; then stops the rest.
    void drain(const base::Stop& stop);

  private:
    struct State {
        std::vector<std::shared_ptr<LiveBuild>> waiting; // in order
        std::vector<std::shared_ptr<LiveBuild>> running;
        bool closed = false; // no more submissions
        bool over = false;   // the workers' threads end
    };
    void serve();
    std::shared_ptr<LiveBuild> take_next();
    void release(const std::shared_ptr<LiveBuild>& build);
    void tell_positions(State& state);
    std::size_t first_runnable(const State& state) const;
    bool take_from_waiting(const std::shared_ptr<LiveBuild>& build);
    void give_up(LiveBuild& build);
    std::vector<std::shared_ptr<LiveBuild>> take_overtaken(State& state, const apps::Build& by);
    void note_idle(const State& state);
    void stop_all();

    apps::Store& store_;
    const QueueSettings settings_;
    base::Guarded<State> state_;
    base::StopSource idle_; // requested once drained
    base::TaskGroup slots_;
};

} // namespace server
