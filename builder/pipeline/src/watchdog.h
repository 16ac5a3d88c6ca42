// Ends a build that says nothing for too long, and passes on the stop of the whole job. Owned by
// the thread that runs the build.
#pragma once

#include "base/stop.h"
#include "base/task_group.h"

#include <atomic>
#include <chrono>

namespace builder {

class Watchdog {
  public:
    Watchdog(const base::Stop& job, std::chrono::seconds silence);

    void heard() noexcept { last_ = base::Stop::Clock::now().time_since_epoch().count(); }
    base::Stop stop() const { return source_.stop(); }
    bool was_silent() const noexcept { return silent_; }

  private:
    void watch(const base::Stop& own, const base::Stop& job);
    base::Stop::Clock::duration quiet_for() const noexcept;

    std::chrono::seconds silence_;
    std::atomic<base::Stop::Clock::rep> last_;
    std::atomic<bool> silent_ = false;
    base::StopSource source_;
    base::TaskGroup tasks_; // last: its thread uses what stands above
};

} // namespace builder
