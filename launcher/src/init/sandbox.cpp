#include "sandbox.h"

#include "launcher/init_protocol.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace init {
namespace {

using std::chrono::milliseconds;

constexpr size_t read_size = 64 * 1024;
constexpr int protocol_broken = 2;
constexpr milliseconds after_kill{1000};
constexpr milliseconds stop_interval{20};

} // namespace

Sandbox::Sandbox(int request_fd, int frame_fd, int child_signal_fd, int null_fd)
    : request_fd_(request_fd), frame_fd_(frame_fd), child_signal_fd_(child_signal_fd),
      null_fd_(null_fd), outbox_(frame_fd) {}

int Sandbox::run() {
    while (!done_) {
        wait();
        outbox_.flush();
        if (outbox_.broken()) stop(0);
        reap_children();
        start_commands();
        move_output();
        outbox_.flush();
        continue_stopping();
    }
    return exit_code_;
}

bool Sandbox::request_is_complete() const {
    return requests_.size() >= launcher::request_length_size &&
           requests_.size() - launcher::request_length_size >= read_u32(requests_.data());
}

int Sandbox::timeout_ms() const {
    const Clock::time_point now = Clock::now();
    Clock::time_point due = Clock::time_point::max();
    for (const Command& command : commands_) due = std::min(due, command.due());
    if (stopping_ != Stopping::no) due = std::min({due, stop_deadline_, now + stop_interval});
    if (due == Clock::time_point::max()) return -1;
    if (due <= now) return 0;
    return static_cast<int>(std::chrono::ceil<milliseconds>(due - now).count());
}

// A descriptor nobody wants to read is left out altogether: poll reports a hang-up unasked, and
// the loop would spin on it.
void Sandbox::wait() {
    const bool reads = stopping_ == Stopping::no;
    const bool wants_requests = commands_.size() < launcher::command_limit;
    polled_.clear();
    polled_.push_back(
        {reads ? request_fd_ : -1, static_cast<short>(wants_requests ? POLLIN : 0), 0});
    polled_.push_back(
        {outbox_.broken() ? -1 : frame_fd_, static_cast<short>(outbox_.empty() ? 0 : POLLOUT), 0});
    polled_.push_back({child_signal_fd_, POLLIN, 0});
    if (outbox_.has_room()) {
        for (const Command& command : commands_) {
            polled_.push_back({command.stdout_fd(), POLLIN, 0});
            polled_.push_back({command.stderr_fd(), POLLIN, 0});
        }
    }
    if (::poll(polled_.data(), polled_.size(), timeout_ms()) <= 0) return;

    read_requests(polled_[0].revents);
    if ((polled_[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) outbox_.give_up();
    signalfd_siginfo ignored[16];
    if (polled_[2].revents != 0) [[maybe_unused]]
        const ssize_t n = ::read(child_signal_fd_, ignored, sizeof ignored);
}

void Sandbox::read_requests(short events) {
    if (events == 0 || stopping_ != Stopping::no) return;
    if ((events & POLLIN) == 0) return stop(0); // hung up
    char buffer[read_size];
    const ssize_t got = ::read(request_fd_, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return stop(0);
    requests_.append(buffer, static_cast<size_t>(got));
}

void Sandbox::start_commands() {
    while (stopping_ == Stopping::no && commands_.size() < launcher::command_limit) {
        if (requests_.size() >= launcher::request_length_size &&
            read_u32(requests_.data()) > launcher::request_limit)
            return stop(protocol_broken);
        if (!request_is_complete()) return;
        const size_t length = read_u32(requests_.data());
        const auto request = parse_request(
            std::string_view{requests_}.substr(launcher::request_length_size, length));
        const bool known =
            request && std::any_of(commands_.begin(), commands_.end(), [&](const Command& command) {
                return command.id() == request->id;
            });
        if (!request || known) return stop(protocol_broken);
        requests_.erase(0, launcher::request_length_size + length);
        commands_.emplace_back(*request, null_fd_);
    }
}

// Process 1 inherits every orphan of the sandbox; those belong to no command and are just reaped.
void Sandbox::reap_children() {
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        for (Command& command : commands_) {
            if (!command.waits_for(pid)) continue;
            command.reaped(status, Clock::now());
            break;
        }
    }
}

void Sandbox::move_output() {
    for (Command& command : commands_) {
        // The pipes do not block, so there is no need to know which of them poll reported.
        command.read_stdout(outbox_);
        command.read_stderr(outbox_);
        command.advance(outbox_, Clock::now());
    }
    commands_.remove_if([](const Command& command) { return command.ended(); });
    // Whoever found the outbox full is first next time.
    if (commands_.size() > 1) commands_.splice(commands_.end(), commands_, commands_.begin());
}

void Sandbox::stop(int exit_code) {
    if (stopping_ != Stopping::no) return;
    if (exit_code == protocol_broken)
        ::fputs("slipway-init: the engine sent a request that breaks the protocol\n", stderr);
    exit_code_ = exit_code;
    stopping_ = Stopping::terminating;
    stop_deadline_ = Clock::now() + milliseconds{launcher::stop_ms};
    requests_.clear();
    signal_all(SIGTERM);
}

void Sandbox::continue_stopping() {
    if (stopping_ == Stopping::no) return;
    if (all_gone()) {
        done_ = outbox_.empty() || Clock::now() >= stop_deadline_;
        return;
    }
    if (Clock::now() < stop_deadline_) return;
    if (stopping_ == Stopping::killing) {
        done_ = true;
        return;
    }
    stopping_ = Stopping::killing;
    stop_deadline_ = Clock::now() + after_kill;
    signal_all(SIGKILL);
}

// kill(-1) means the processes of this pid namespace only to its process 1. To anybody else it
// means the whole machine, so there the commands' own groups have to do.
void Sandbox::signal_all(int number) const {
    if (::getpid() == 1) {
        ::kill(-1, number);
        return;
    }
    for (const Command& command : commands_) command.signal(number);
}

bool Sandbox::all_gone() const {
    return commands_.empty() && (::getpid() != 1 || ::kill(-1, 0) != 0);
}

} // namespace init
