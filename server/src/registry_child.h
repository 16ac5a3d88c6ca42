// Debian's docker-registry as a child of ours: its configuration, its start, its restarts. main
// owns it; one thread of its own supervises.
#pragma once

#include "config_values.h"
#include "state_directory.h"

#include "base/stop.h"
#include "base/task_group.h"

#include <filesystem>

namespace server {

class RegistryChild {
  public:
    // Returns once it answers. Throws Error{unavailable} with its last words when it does not.
    RegistryChild(const StateDirectory& state, Address listen, SystemUser user);

    const Address& address() const noexcept { return address_; }

  private:
    void supervise(const base::Stop& stop);
    void write_configuration() const;
    void wait_until_ready();

    std::filesystem::path directory_;
    std::filesystem::path log_;
    Address address_;
    SystemUser user_;
    base::TaskGroup group_; // last: its thread uses the rest
};

// A TCP port that was free a moment ago.
std::uint16_t free_port(const std::string& host);

} // namespace server
