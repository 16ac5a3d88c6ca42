// How a blocking function learns that it should end: a request from outside or a deadline.
// A Stop is a cheap copy; any thread may use it. A StopSource belongs to whoever may ask.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

namespace base {

class Stop {
  public:
    using Clock = std::chrono::steady_clock;

    // Never stops.
    Stop() = default;

    bool requested() const noexcept;
    bool expired() const noexcept { return deadline_ && Clock::now() >= *deadline_; }
    // Throws Error{cancelled} or Error{timed_out}.
    void throw_if_over(const char* doing) const;

    // The same request, ending no later than now + timeout.
    Stop within(Clock::duration timeout) const;

    // Waits until fd is ready for `events` (poll's bits). False: the stop came first.
    bool wait_for(int fd, short events) const;
    // Waits until the stop or until `timeout` has passed; true when it is over.
    bool wait(Clock::duration timeout) const;

    // For a poll loop of one's own: becomes readable on a request; -1 when there is no source.
    int fd() const noexcept;
    // Milliseconds until the deadline for poll(2); -1 without one.
    int poll_timeout() const noexcept;

  private:
    friend class StopSource;
    struct State;
    std::shared_ptr<State> state_;
    std::optional<Clock::time_point> deadline_;
};

class StopSource {
  public:
    StopSource();
    void request() noexcept; // async-signal-safe
    Stop stop() const noexcept;

  private:
    std::shared_ptr<Stop::State> state_;
};

} // namespace base
