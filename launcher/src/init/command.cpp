#include "command.h"

#include "child.h"
#include "launcher/init_protocol.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace init {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds linger{launcher::linger_ms};
// How long killed processes may take to let go of the pipes, and to be gone altogether.
constexpr milliseconds group_death{200};
constexpr milliseconds sandbox_death{5000};
constexpr milliseconds kill_interval{10};

void close_end(int& fd) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
}

// The reading end never blocks; the writing end does, as a program expects of its stdout.
bool make_pipe(int& reading, int& writing) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    reading = ends[0];
    writing = ends[1];
    return ::fcntl(reading, F_SETFL, O_NONBLOCK) == 0;
}

// Only process 1 may kill "everything": anywhere else that is the whole machine.
bool owns_the_sandbox() {
    return ::getpid() == 1;
}

} // namespace

Command::Command(const Request& request, int null_fd)
    : id_(request.id), kill_others_(request.kill_others) {
    out_.frame = launcher::frame_stdout;
    err_.frame = launcher::frame_stderr;
    int out_writing = -1;
    int err_writing = -1;
    if (make_pipe(out_.fd, out_writing) && make_pipe(err_.fd, err_writing)) {
        pid_ = ::fork();
        if (pid_ == 0) become_command(request, null_fd, out_writing, err_writing);
    }
    if (pid_ > 0) {
        group_lives_ = true;
    } else {
        failure_ = std::string{"cannot start a process: "} + ::strerror(errno) + "\n";
        status_ = launcher::status_not_executable;
        stage_ = Stage::lingering;
    }
    close_end(out_writing);
    close_end(err_writing);
}

Command::~Command() {
    close_end(out_.fd);
    close_end(err_.fd);
}

Clock::time_point Command::due() const {
    switch (stage_) {
    case Stage::lingering:
        return pipes_closed() ? Clock::time_point::min() : deadline_;
    case Stage::killing:
        return std::min(deadline_, Clock::now() + kill_interval);
    default:
        return Clock::time_point::max();
    }
}

void Command::reaped(int wait_status, Clock::time_point now) {
    status_ = WIFSIGNALED(wait_status) ? -WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
    // The number of an empty group may be given to another process from now on, so it must never
    // be signalled again. One that has members keeps its number.
    group_lives_ = ::kill(-pid_, 0) == 0;
    stage_ = Stage::lingering;
    deadline_ = now + linger;
    // Everything the command itself wrote fits into its pipes, so this cuts off nobody but an
    // endless writer in the background, which could keep a slow engine busy for ever.
    out_.left = err_.left = launcher::linger_limit;
}

void Command::signal(int number) const {
    if (!group_lives_) return;
    // A process that has only just been forked does not lead its group yet.
    if (::kill(-pid_, number) != 0 && stage_ == Stage::running) ::kill(pid_, number);
}

void Command::read_pipe(Pipe& pipe, Outbox& outbox) {
    if (pipe.fd < 0 || !outbox.has_room()) return;
    char buffer[launcher::output_limit];
    // With nothing left to be read this is a read of no bytes, which ends like the end of file.
    const ssize_t got = ::read(pipe.fd, buffer, std::min(sizeof buffer, pipe.left));
    if (got > 0) {
        outbox.output(pipe.frame, id_, {buffer, static_cast<size_t>(got)});
        if (stage_ != Stage::running) pipe.left -= static_cast<size_t>(got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_end(pipe.fd);
    } else if (stage_ == Stage::draining && errno == EAGAIN) {
        close_end(pipe.fd);
    }
}

void Command::start_killing(Clock::time_point now) {
    stage_ = Stage::killing;
    deadline_ = now + (kill_others_ ? sandbox_death : group_death);
}

bool Command::all_killed(Clock::time_point now) const {
    signal(SIGKILL);
    // kill(-1) reaches every process at once, so nothing can fork its way out; it fails only
    // when the last one has been reaped.
    if (kill_others_ && owns_the_sandbox() && ::kill(-1, SIGKILL) == 0) return now >= deadline_;
    return pipes_closed() || now >= deadline_;
}

// Whoever still holds a pipe is out of reach (another session). What was written before the end
// is at most what the pipe holds.
void Command::start_draining() {
    stage_ = Stage::draining;
    for (Pipe* pipe : {&out_, &err_}) {
        if (pipe->fd < 0) continue;
        const int size = ::fcntl(pipe->fd, F_GETPIPE_SZ);
        if (size > 0) pipe->left = std::min(pipe->left, static_cast<size_t>(size));
    }
}

void Command::drain(Pipe& pipe, Outbox& outbox) {
    while (pipe.fd >= 0 && outbox.has_room()) read_pipe(pipe, outbox);
}

void Command::advance(Outbox& outbox, Clock::time_point now) {
    if (stage_ == Stage::lingering) {
        // Time in which the engine did not read is not time in which anybody could write.
        if (!outbox.has_room()) deadline_ = std::max(deadline_, now + linger);
        if (pipes_closed() || now >= deadline_) start_killing(now);
    }
    if (stage_ == Stage::killing && all_killed(now)) start_draining();
    if (stage_ == Stage::draining) {
        drain(out_, outbox);
        drain(err_, outbox);
        if (!pipes_closed()) return;
        if (!failure_.empty()) outbox.output(launcher::frame_stderr, id_, failure_);
        outbox.exit(id_, status_);
        stage_ = Stage::ended;
    }
}

} // namespace init
