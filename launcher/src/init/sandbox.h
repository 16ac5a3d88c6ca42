// The one loop of slipway-init: requests in, frames out, children reaped. Single-threaded; the
// only thing it ever waits for is poll(). Believes nothing that comes from the commands.
#pragma once

#include "command.h"
#include "outbox.h"

#include <list>
#include <poll.h>
#include <string>
#include <vector>

namespace init {

class Sandbox {
  public:
    // The descriptors must stay open for its lifetime; `child_signal_fd` is a signalfd for SIGCHLD.
    Sandbox(int request_fd, int frame_fd, int child_signal_fd, int null_fd);

    // Until the engine closes its side. The exit code: 0, or 2 when the engine broke the protocol.
    int run();

  private:
    enum class Stopping { no, terminating, killing };

    void wait();
    void read_requests(short events);
    void start_commands();
    void reap_children();
    void move_output();
    void stop(int exit_code);
    void continue_stopping();
    void signal_all(int number) const;
    bool all_gone() const;
    bool request_is_complete() const;
    int timeout_ms() const;

    int request_fd_;
    int frame_fd_;
    int child_signal_fd_;
    int null_fd_;
    Outbox outbox_;
    std::string requests_;
    std::list<Command> commands_;
    std::vector<pollfd> polled_;
    Stopping stopping_ = Stopping::no;
    Clock::time_point stop_deadline_{};
    int exit_code_ = 0;
    bool done_ = false;
};

} // namespace init
