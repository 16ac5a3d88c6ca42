// The registry that the server runs itself: one docker-registry on loopback, for builds and for
// this machine, and where registry.public_listen asks for it a second one over the same files, for
// everybody else. Both stand behind our token service. main owns it.
#pragma once

#include "registry_child.h"
#include "registry_tokens.h"
#include "site.h"
#include "tcp.h"

#include <functional>
#include <optional>
#include <string>

namespace server {

class OwnRegistry {
  public:
    // http_url: of the HTTP API, where people's clients fetch their tokens. Returns once it
    // answers.
    OwnRegistry(const Config& config, const StateDirectory& state, const std::string& http_url);

    // Borrows from this.
    Registry describe() const;
    // Where the loopback registry sends for tokens; once.
    Listener take_token_listener() { return std::move(token_listener_); }
    // Runs `work` while nothing can be written to the registry.
    void read_only_during(const std::function<void()>& work, const base::Stop& stop);
    // Removes the blobs that are part of no manifest. Only while it is read-only.
    void sweep(const base::Stop& stop) const { local_->sweep(stop); }

  private:
    void take_writes_again();
    RegistrySettings local_settings(const Config& config) const;
    RegistrySettings public_settings(const Config& config, const std::string& http_url) const;

    const std::filesystem::path password_file_;
    const std::string secret_;
    RegistryTokens tokens_;
    Listener token_listener_;
    std::string public_host_;
    std::optional<RegistryChild> local_, public_;
};

} // namespace server
