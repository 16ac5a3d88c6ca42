// The only code that starts threads. A group's owner outlives its threads: the destructor asks
// them to stop and joins them; join() rethrows the first failure. Any thread may call a group that
// its owner keeps alive.
#pragma once

#include "base/stop.h"

#include <functional>
#include <memory>

namespace base {

class TaskGroup {
  public:
    TaskGroup();
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    // Runs `task` in a thread of its own. The first task that throws asks the others to stop.
    // Threads that have ended are reaped at the next call, so that a group may live for ever.
    // Throws std::system_error when there is no thread to be had: the task does not run then.
    void start(std::function<void(const Stop&)> task);
    void request_stop() noexcept;
    void join(); // rethrows the first failure
    Stop stop() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace base
