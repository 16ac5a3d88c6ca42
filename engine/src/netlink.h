// The little of rtnetlink(7) that a sandbox's network needs. All of it acts on the network
// namespace of the thread that made the socket. Throws base::Error. One thread.
#pragma once

#include "base/fd.h"

#include <cstdint>

namespace engine {

class RouteSocket {
  public:
    RouteSocket();
    void bring_loopback_up();
    // An address range (host byte order) that answers "unreachable" at once.
    void refuse_network(std::uint32_t address, unsigned prefix);
    // The same for all ports but one of a single address, whatever the routes say.
    void refuse_all_ports_but(std::uint32_t address, std::uint16_t port);

  private:
    void add_rule(std::uint32_t address, std::uint32_t priority, std::uint16_t port);
    void exchange(void* message);
    base::UniqueFd socket_;
};

} // namespace engine
