// One build while its worker runs: events into the row and the log. The slot's thread owns it.
#pragma once

#include "server/queue.h"

#include "base/secret_mask.h"

namespace server {

class BuildRun {
  public:
    BuildRun(apps::Store& store, const QueueSettings& settings, LiveBuild& build)
        : store_(store), settings_(settings), build_(build) {}

    void run();     // to the end; does not throw
    void give_up(); // of one that never ran

  private:
    void run_worker();
    void break_off(const base::Error& error);
    void take(const builder::Event& event);
    void finish(const builder::Outcome& outcome);
    void apply(apps::Build& row, const builder::Outcome& outcome);
    void keep(const builder::Record& record);
    void save(const apps::Build& row);

    apps::Store& store_;
    const QueueSettings& settings_;
    LiveBuild& build_;
    std::size_t records_ = 0;
    base::SecretMask mask_; // of the job's secrets: nothing else of the build is kept or told
};

} // namespace server
