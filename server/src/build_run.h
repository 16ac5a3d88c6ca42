// One claim of a build while its worker runs: events into the row and the log, under the claim's
// own fence. A run that has lost its lease says nothing more. The slot's thread owns it.
#pragma once

#include "server/queue.h"

#include "base/secret_mask.h"

namespace server {

class BuildRun {
  public:
    // Whoever ran this build before and still does has lost it.
    BuildRun(apps::Builds& builds, const QueueSettings& settings, LiveBuild& build,
             const apps::Claim& claim);
    ~BuildRun(); // lets the lease go
    BuildRun(const BuildRun&) = delete;
    BuildRun& operator=(const BuildRun&) = delete;

    void run(); // to its end; does not throw
    // Those who watch it here read how it ended, and `tell` (may be empty) tells others, in this
    // order; whoever wrote the end into the table passes one. False: somebody else showed it.
    static bool end(LiveBuild& build, const apps::Build& row,
                    const std::function<void(const apps::Build&)>& tell);
    // Those who watch it are told and leave; its row stays as it is.
    static void wait_for_next_start(LiveBuild& build);

  private:
    void run_worker();
    void send_kept();
    void publish_kept();
    void could_not_send(const base::Error& error);
    bool was_kept(const builder::Event& event, const builder::Job& job);
    bool park(const base::Error& why);
    void end_as_parked(const apps::Build& row);
    builder::Event with_proof(builder::Event event, const builder::Job& job);
    void break_off(const base::Error& error);
    void take(const builder::Event& event);
    void take(const builder::PhaseFinished& finished);
    void take(const builder::PhaseStarted& started);
    void note();
    void finish(const builder::Outcome& outcome);
    void apply(apps::Build& row, const builder::Outcome& outcome);
    void keep(const builder::Record& record);
    void lose_lease();
    bool has_lost();
    bool is_left_for_next_start(const builder::Outcome& outcome);

    apps::Builds& builds_;
    const QueueSettings& settings_;
    LiveBuild& build_;
    const std::shared_ptr<LiveBuild::Attempt> attempt_;
    apps::Build row_; // as this claim has brought it
    std::size_t records_ = 0;
    std::string materials_; // its worker's record of them
    bool started_ = false;
    bool over_ = false;     // its outcome was taken
    base::SecretMask mask_; // of the job's secrets: nothing else of the build is kept or told
};

} // namespace server
