// One build while its worker runs: events into the row and the log. The slot's thread owns it.
#pragma once

#include "server/queue.h"

#include "base/secret_mask.h"

namespace server {

class BuildRun {
  public:
    BuildRun(apps::Builds& builds, const QueueSettings& settings, LiveBuild& build)
        : builds_(builds), settings_(settings), build_(build) {}

    static void begin(LiveBuild& build, const apps::Claim& claim); // of an attempt
    void run();                                                    // to its end; does not throw
    static void let_go(LiveBuild& build);                          // of the lease
    // Those who watch it are told and leave; its row stays as it is.
    static void wait_for_next_start(LiveBuild& build);

  private:
    void run_worker();
    void break_off(const base::Error& error);
    void take(const builder::Event& event);
    void take(const builder::PhaseFinished& finished);
    void take(const builder::PhaseStarted& started);
    void note();
    void finish(const builder::Outcome& outcome);
    void apply(apps::Build& row, const builder::Outcome& outcome);
    void keep(const builder::Record& record);
    void save(const apps::Build& row);
    void end(const apps::Build& row);
    void lose_lease();
    bool is_left_for_next_start(const builder::Outcome& outcome);

    apps::Builds& builds_;
    const QueueSettings& settings_;
    LiveBuild& build_;
    std::size_t records_ = 0;
    bool started_ = false;
    bool over_ = false;     // its outcome was taken
    base::SecretMask mask_; // of the job's secrets: nothing else of the build is kept or told
};

} // namespace server
