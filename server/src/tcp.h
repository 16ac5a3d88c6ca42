// TCP sockets by numeric address. Throws base::Error. Any thread.
#pragma once

#include "config_values.h"

#include "base/fd.h"
#include "base/stop.h"

#include <string>

namespace server {

struct Listener {
    base::UniqueFd fd;
    Address address; // with the real port
};

// Error{already_exists} names the port when another program has it.
Listener listen_on(const Address& address);
base::UniqueFd connect_to(const Address& address, const base::Stop& stop);

struct Accepted {
    base::UniqueFd fd;      // empty: nothing was there
    std::string from;       // the address, for the log and the limits
    bool exhausted = false; // out of descriptors or memory: back off
};
Accepted accept_on(int listener);

} // namespace server
