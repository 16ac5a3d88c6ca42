#include "builder/worker.h"

#include "base/fd.h"
#include "base/process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;
using Clock = std::chrono::steady_clock;

// The worker holds a hostile build: what it says is bounded here too. Its longest honest line is
// an outcome with a few kilobytes of reason.
constexpr std::size_t longest_line = 1u << 20;

// A file in memory and not a pipe: a worker that does not read cannot block us.
base::UniqueFd job_as_file(const Job& job) {
    base::UniqueFd file(::memfd_create("job", MFD_CLOEXEC));
    if (!file) base::throw_errno("could not hand the job over");
    base::write_all(file.get(), job.render());
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

// Proxies are the operator's; the registry client of the worker needs them as ours does.
std::vector<std::string> worker_environment() {
    auto environment = base::minimal_environment();
    for (const char* name : {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                             "NO_PROXY", "SSL_CERT_FILE", "XDG_RUNTIME_DIR"})
        if (const char* value = std::getenv(name))
            environment.push_back(name + ("=" + std::string(value)));
    return environment;
}

base::Process start(const WorkerCommand& worker, const Job& job, int events) {
    const auto input = job_as_file(job);
    base::Command command;
    command.argv = {worker.program.string()};
    command.environment = worker_environment();
    command.descriptors = {{0, input.get()}, {1, 2}, {2, 2}, {3, events}};
    return base::Process::start(command);
}

class Supervision {
  public:
    Supervision(const WorkerCommand& worker, const std::function<void(const Event&)>& on_event,
                const base::Stop& stop)
        : worker_(worker), on_event_(on_event), stop_(stop) {}

    Outcome run(const Job& job) {
        try {
            auto events = base::make_pipe();
            auto process = start(worker_, job, events.write.get());
            events.write.reset();
            follow(process, events.read.get());
            const auto status = end(process);
            if (!outcome_) conclude(without_outcome(status));
        } catch (const Error& error) {
            if (!outcome_) conclude(Broken{phase_, error.kind(), error.describe(), error.hint()});
        }
        return *outcome_;
    }

  private:
    // Reads until the worker has said its outcome, closed the pipe, died or outlived its stop.
    void follow(base::Process& process, int events) {
        while (!outcome_) {
            const bool dead = wait_for_more(process, events);
            if (over()) return;
            if (!read_events(events)) return;
            if (dead && !more_to_read(events)) return; // a stray process may hold the pipe open
        }
    }

    // Returns whether the worker has ended.
    bool wait_for_more(base::Process& process, int events) {
        pollfd fds[] = {{events, POLLIN, 0},
                        {process.fd(), POLLIN, 0},
                        {deadline_ ? -1 : stop_.fd(), POLLIN, 0}};
        const int n = ::poll(fds, 3, patience());
        if (n < 0 && errno != EINTR) base::throw_errno("could not wait for the worker");
        if (!deadline_ && (stop_.requested() || stop_.expired())) {
            process.signal(SIGTERM);
            deadline_ = Clock::now() + worker_.grace;
        }
        return fds[1].revents != 0;
    }

    int patience() const {
        if (!deadline_) return stop_.poll_timeout();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
        return static_cast<int>(std::max<long long>(left, 0));
    }
    bool over() const { return deadline_ && Clock::now() >= *deadline_; }

    static bool more_to_read(int events) {
        pollfd fd{events, POLLIN, 0};
        return ::poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN);
    }

    // False at the end of the stream.
    bool read_events(int events) {
        if (!more_to_read(events)) {
            pollfd fd{events, POLLIN, 0};
            return !(::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)));
        }
        char buffer[65536];
        const auto n = base::read_some(events, buffer, sizeof buffer);
        pending_.append(buffer, n);
        std::size_t begin = 0;
        for (std::size_t end; (end = pending_.find('\n', begin)) != std::string::npos;
             begin = end + 1)
            if (!outcome_) take(std::string_view(pending_).substr(begin, end - begin));
        pending_.erase(0, begin);
        if (pending_.size() > longest_line)
            throw Error(ErrorKind::internal, "the worker said a line without an end");
        return n > 0;
    }

    void take(std::string_view line) {
        const auto event = parse_event(line);
        if (const auto* started = std::get_if<PhaseStarted>(&event)) phase_ = started->phase;
        if (const auto* outcome = std::get_if<Outcome>(&event)) outcome_ = *outcome;
        on_event_(event);
    }

    // The worker unmounts and removes its work directory after the outcome; it has as long for it
    // as the rest of its time, a stop shortens it.
    base::ExitStatus end(base::Process& process) {
        if (!outcome_ && deadline_)
            return process.terminate(
                std::max(std::chrono::milliseconds(0),
                         std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now())));
        if (const auto status = process.wait(stop_.within(std::chrono::minutes(2)))) return *status;
        return process.terminate(worker_.grace);
    }

    Outcome without_outcome(const base::ExitStatus& status) const {
        if (stop_.requested()) return Cancelled{"it was cancelled"};
        if (stop_.expired())
            return Refused{phase_, ErrorKind::timed_out, "the build took too long",
                           "Ask the server's operator for more time (sandbox.time)."};
        return Broken{phase_, ErrorKind::internal,
                      "the build's worker ended without an outcome: " + status.describe(),
                      "The server's log may say more."};
    }

    void conclude(Outcome outcome) {
        outcome_ = std::move(outcome);
        on_event_(Event(*outcome_));
    }

    const WorkerCommand& worker_;
    const std::function<void(const Event&)>& on_event_;
    const base::Stop& stop_;
    std::string pending_;
    Phase phase_ = Phase::fetch;
    std::optional<Outcome> outcome_;
    std::optional<Clock::time_point> deadline_; // set once it was asked to end
};

} // namespace

Outcome run_worker(const WorkerCommand& worker, const Job& job,
                   const std::function<void(const Event&)>& on_event, const base::Stop& stop) {
    return Supervision(worker, on_event, stop).run(job);
}

} // namespace builder
