// What a connection of the server is made of: the socket, its place among the others, and the
// bytes that came before anybody asked for them. Private to the server.
#pragma once

#include "http/server.h"

#include "base/guarded.h"

#include <map>
#include <memory>
#include <string>

namespace http {

// How many connections there are, in all and of each address. Any thread.
class Admission {
  public:
    using Place = std::shared_ptr<void>; // gives itself back

    explicit Admission(const ServerLimits& limits);
    // Empty: there is no place. A local socket has no address and counts in the total alone.
    Place admit(const std::string& address);
    std::size_t count() const noexcept;

  private:
    struct State;
    std::shared_ptr<State> state_; // places may outlive the server
};

// A plain socket, non-blocking. The place is given back with it.
class SocketConnection : public Connection {
  public:
    SocketConnection(base::UniqueFd socket, Admission::Place place);

    int fd() const noexcept override { return socket_.get(); }
    std::optional<std::size_t> try_write(std::string_view bytes) noexcept override;
    std::optional<std::size_t> try_read(char* buffer, std::size_t size) noexcept override;
    short wants() const noexcept override { return wants_; }
    // Nothing more will be written; the client may still be read.
    virtual void shut_down() noexcept;

  protected:
    short wants_ = 0;

  private:
    Admission::Place place_; // destroyed after the socket: closed first, then counted
    base::UniqueFd socket_;
};

// `bytes` are read before those of the connection.
std::unique_ptr<Connection> with_early_bytes(std::unique_ptr<Connection> connection,
                                             std::string bytes);

// Numeric; an IPv4 address that came over IPv6 as IPv4. Empty for a local socket.
std::string peer_address(int socket);

} // namespace http
