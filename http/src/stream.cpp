#include "stream.h"

#include <poll.h>
#include <utility>

namespace http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_lingering = 4u << 20;
constexpr std::chrono::seconds lingering_time{2};

} // namespace

Stream::Stream(std::unique_ptr<SocketConnection> connection, const ServerLimits& limits,
               base::Stop end)
    : connection_(std::move(connection)), limits_(limits), end_(std::move(end)) {}

bool Stream::wait_for_request(const base::Stop& stop) noexcept {
    if (may_hold_more_) return true;
    try {
        return stop.wait_for(connection_->fd(), POLLIN);
    } catch (const base::Error&) {
        return false;
    }
}

std::size_t Stream::read(char* buffer, std::size_t size, const base::Stop& deadline) {
    for (;;) {
        const auto n = connection_->try_read(buffer, size);
        if (!n) return 0;
        may_hold_more_ = *n == size;
        if (*n > 0) return *n;
        if (!deadline.wait_for(connection_->fd(), connection_->wants()))
            deadline.throw_if_over("a request's head");
    }
}

std::size_t Stream::read_body(char* buffer, std::size_t size) {
    for (;;) {
        const auto n = connection_->try_read(buffer, size);
        if (!n) fail_as_left();
        reading_.bytes += *n;
        may_hold_more_ = *n == size;
        if (*n > 0) return *n;
        wait(reading_, "the request's body");
    }
}

void Stream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = connection_->try_write(bytes);
        if (!n) fail_as_left();
        writing_.bytes += *n;
        bytes.remove_prefix(*n);
        if (!bytes.empty() && *n == 0) wait(writing_, "the answer");
    }
}

void Stream::wait(Pace& pace, const char* doing) {
    const auto began = Clock::now();
    const bool ready = end_.within(limits_.stall_time - pace.waited)
                           .wait_for(connection_->fd(), connection_->wants());
    pace.waited += Clock::now() - began;
    if (end_.requested() || end_.expired()) {
        broken_ = true;
        end_.throw_if_over(doing);
    }
    if (ready && pace.waited < limits_.stall_time) return;
    const auto seconds = std::chrono::duration<double>(limits_.stall_time).count();
    const bool slow =
        static_cast<double>(pace.bytes) < seconds * static_cast<double>(limits_.least_body_rate);
    pace = {};
    if (!slow) return;
    if (&pace == &writing_) broken_ = true;
    throw BadRequest(408, base::ErrorKind::timed_out,
                     std::string(doing) + " went too slowly over the connection");
}

void Stream::fail_as_left() {
    broken_ = true;
    throw base::Error(base::ErrorKind::unavailable, "the client left");
}

void Stream::linger() noexcept {
    if (!connection_ || broken_) return;
    connection_->shut_down();
    const auto deadline = end_.within(lingering_time);
    char buffer[16384];
    try {
        for (std::size_t dropped = 0; dropped < most_lingering;) {
            const auto n = connection_->try_read(buffer, sizeof buffer);
            if (!n) return;
            dropped += *n;
            if (*n == 0 && !deadline.wait_for(connection_->fd(), connection_->wants())) return;
        }
    } catch (const base::Error&) {
        // The connection is closed next.
    }
}

bool Stream::peer_left() const noexcept {
    if (!connection_ || broken_) return true;
    pollfd event{connection_->fd(), POLLRDHUP, 0};
    return ::poll(&event, 1, 0) > 0 && (event.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

} // namespace http
