#include "base/stop.h"

#include "base/error.h"
#include "base/fd.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>

namespace base {

struct Stop::State {
    std::atomic<bool> requested = false;
    UniqueFd event;
};

StopSource::StopSource() : state_(std::make_shared<Stop::State>()) {
    state_->event = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!state_->event) throw_errno("could not make an eventfd");
}

void StopSource::request() noexcept {
    state_->requested.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(state_->event.get(), &one, sizeof one);
}

Stop StopSource::stop() const noexcept {
    Stop stop;
    stop.state_ = state_;
    return stop;
}

bool Stop::requested() const noexcept {
    return state_ && state_->requested.load();
}

int Stop::fd() const noexcept {
    return state_ ? state_->event.get() : -1;
}

void Stop::throw_if_over(const char* doing) const {
    if (requested()) throw Error(ErrorKind::cancelled, std::string(doing) + " was cancelled");
    if (expired()) throw Error(ErrorKind::timed_out, std::string(doing) + " took too long");
}

Stop Stop::within(Clock::duration timeout) const {
    Stop stop = *this;
    const auto deadline = Clock::now() + timeout;
    stop.deadline_ = deadline_ ? std::min(*deadline_, deadline) : deadline;
    return stop;
}

int Stop::poll_timeout() const noexcept {
    if (!deadline_) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 1 << 30));
}

bool Stop::wait_for(int file, short events) const {
    for (;;) {
        if (requested() || expired()) return false;
        pollfd fds[2] = {{file, events, 0}, {fd(), POLLIN, 0}};
        const int n = ::poll(fds, 2, poll_timeout());
        if (n < 0 && errno != EINTR) throw_errno("could not wait");
        if (n > 0 && fds[0].revents != 0) return true;
    }
}

bool Stop::wait(Clock::duration timeout) const {
    const Stop bounded = within(timeout);
    for (;;) {
        if (requested()) return true;
        if (bounded.expired()) return expired();
        pollfd event{fd(), POLLIN, 0};
        ::poll(&event, 1, bounded.poll_timeout());
    }
}

} // namespace base
