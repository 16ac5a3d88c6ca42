// A sandbox's network namespace and the user-mode router (slirp4netns) that joins it to the
// internet. Owned by the Sandbox: the destructor stops the router and drops the namespace.
// Refuses: the host's loopback, link-local addresses (the metadata services of clouds), IPv6.
#pragma once

#include "engine/sandbox.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/stop.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace engine {

class NetworkNamespace {
  public:
    // `directory`: an empty one of ours, for the namespace's name and the router's messages.
    NetworkNamespace(Network kind, std::filesystem::path directory, const base::Stop& stop);
    ~NetworkNamespace();
    NetworkNamespace(const NetworkNamespace&) = delete;
    NetworkNamespace& operator=(const NetworkNamespace&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

  private:
    void start_router(const base::Stop& stop);

    std::filesystem::path path_;
    std::optional<base::Process> router_;
};

// The sandbox's resolv.conf: the router's name server and the host's search domains.
std::string resolver_configuration(Network kind, std::string_view host_configuration);

} // namespace engine
