// What this process asks the daemon: who a key belongs to, and where an app's repository is. One
// connection's thread owns it. It keeps no right longer than the question it was asked for.
#pragma once

#include "base/stop.h"
#include "receiver/git_request.h"

#include <filesystem>
#include <optional>
#include <string>

namespace receiver {

struct Opened {
    std::filesystem::path repository;
    std::string push; // the token that names this push to door.push
};

class Door {
  public:
    explicit Door(std::filesystem::path socket) : socket_(std::move(socket)) {}
    const std::filesystem::path& socket() const noexcept { return socket_; }

    // The user whose key this is; empty when nobody added it. Other failures throw.
    std::optional<std::string> identify(const std::string& fingerprint, const base::Stop& stop);
    // Empty for an app that does not exist and for one that this key may not use alike.
    std::optional<Opened> open(const std::string& fingerprint, const std::string& app,
                               Service service, const base::Stop& stop);

  private:
    std::filesystem::path socket_;
};

} // namespace receiver
