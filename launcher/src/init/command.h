// One command of the sandbox: its process, its two pipes and how far its end has come.
#pragma once

#include "outbox.h"
#include "request.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace init {

using Clock = std::chrono::steady_clock;

class Command {
  public:
    // Starts it. What fails inside the new process is told through its own stderr; what fails
    // before it (no process, no pipe left) becomes a command that has ended with 126.
    Command(const Request& request, int null_fd);
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    ~Command();

    std::uint32_t id() const { return id_; }
    // Whether waitpid() answering `pid` means this command. Not once it has: an orphan may get
    // the number later.
    bool waits_for(pid_t pid) const { return stage_ == Stage::running && pid_ == pid; }
    bool ended() const { return stage_ == Stage::ended; }

    // Descriptors to poll for reading, -1 for none.
    int stdout_fd() const { return poll_fd(out_); }
    int stderr_fd() const { return poll_fd(err_); }

    // When advance() wants to be called at the latest; Clock::time_point::max() for never.
    Clock::time_point due() const;

    // waitpid() has just returned this status: to be called before any other wait.
    void reaped(int wait_status, Clock::time_point now);

    void read_stdout(Outbox& outbox) { read_pipe(out_, outbox); }
    void read_stderr(Outbox& outbox) { read_pipe(err_, outbox); }

    // Takes the end of the command as far as it goes now; sends its exit frame as the last thing.
    void advance(Outbox& outbox, Clock::time_point now);

    // To the whole process group.
    void signal(int number) const;

  private:
    // running: its process lives. lingering: it does not, but something holds its pipes.
    // killing: what is left is being killed. draining: what the pipes hold is read, no more.
    enum class Stage { running, lingering, killing, draining, ended };

    struct Pipe {
        int fd = -1;
        char frame = 0;
        size_t left = SIZE_MAX; // to be read once the process has ended
    };

    int poll_fd(const Pipe& pipe) const { return stage_ < Stage::draining ? pipe.fd : -1; }
    bool pipes_closed() const { return out_.fd < 0 && err_.fd < 0; }
    void read_pipe(Pipe& pipe, Outbox& outbox);
    void start_killing(Clock::time_point now);
    bool all_killed(Clock::time_point now) const;
    void start_draining();
    void drain(Pipe& pipe, Outbox& outbox);

    std::uint32_t id_;
    bool kill_others_;
    bool group_lives_ = false;
    pid_t pid_ = -1;
    int status_ = 0;
    std::string failure_; // why it could not be started
    Stage stage_ = Stage::running;
    Clock::time_point deadline_{};
    Pipe out_;
    Pipe err_;
};

} // namespace init
