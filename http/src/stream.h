// Blocking reads and writes over a Connection, each bounded by a stop and by how fast the client
// is. One thread. Private to the server.
#pragma once

#include "connection.h"

#include "http/server.h"

#include "base/error.h"
#include "base/stop.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace http {

// What was no request, or too slow a one: its status is HTTP's, whatever its kind says.
class BadRequest : public base::Error {
  public:
    BadRequest(int status, base::ErrorKind kind, std::string message, std::string hint = {})
        : Error(kind, std::move(message), std::move(hint)), status_(status) {}
    int status() const noexcept { return status_; }

  private:
    int status_;
};

class Stream {
  public:
    Stream(std::unique_ptr<SocketConnection> connection, const ServerLimits& limits,
           base::Stop end);

    // Waits for a first byte of a next request without a thought of its rate. False: none came.
    bool wait_for_request(const base::Stop& stop) noexcept;
    // Some bytes; 0 when the client sends no more. Of a head: bounded by `deadline`; throws
    // Error{timed_out, cancelled}.
    std::size_t read(char* buffer, std::size_t size, const base::Stop& deadline);
    // Of a body: bounded by the least rate. Throws BadRequest 408, Error{unavailable} when the
    // client left, Error{cancelled}.
    std::size_t read_body(char* buffer, std::size_t size);
    // Throws the same.
    void write(std::string_view bytes);

    // Lets what was sent arrive although the client still sends: a close at once would reset it.
    void linger() noexcept;

    // Something failed: nothing more can be said to this client.
    bool is_broken() const noexcept { return broken_; }
    bool peer_left() const noexcept;
    int fd() const noexcept { return connection_ ? connection_->fd() : -1; }
    std::unique_ptr<Connection> take() noexcept { return std::move(connection_); }

  private:
    // How long was waited for the client, and what came of it.
    struct Pace {
        std::chrono::steady_clock::duration waited{};
        std::uint64_t bytes = 0;
    };
    void wait(Pace& pace, const char* doing);
    [[noreturn]] void fail_as_left();

    std::unique_ptr<SocketConnection> connection_;
    const ServerLimits& limits_;
    base::Stop end_;
    Pace reading_;
    Pace writing_;
    bool broken_ = false;
    bool may_hold_more_ = false; // TLS gave all that was asked for: poll may not see the rest
};

} // namespace http
