// The answering end of docs/local-protocol.md. An Exchange is one accepted connection; one thread
// owns it. It knows no verb.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/stop.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>

namespace wire {

constexpr std::size_t longest_request = std::size_t{1} << 20;

// A listening socket at `path` with this mode and, when given, this group. A socket that a dead
// server left there is replaced; a live one is Error{already_exists}.
base::UniqueFd listen_at(const std::filesystem::path& path, unsigned mode,
                         std::optional<gid_t> group = {});

// The next connection; empty on a stop. Running out of descriptors is waited out, not thrown.
base::UniqueFd accept_from(int listener, const base::Stop& stop);

struct Peer {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};

class Exchange {
  public:
    explicit Exchange(base::UniqueFd connection);

    // Who connected, as the kernel noted it then (SO_PEERCRED).
    Peer peer() const;

    // The request's object. Throws Error{invalid_input} for what is not one, Error{limit_exceeded}
    // past longest_request, Error{unavailable} when the peer left, and on a stop.
    base::json::Value read_request(const base::Stop& stop);

    // One line each. A peer that reads slowly is waited for until the stop; one that left is
    // Error{unavailable}.
    void send_event(const base::json::Value& event, const base::Stop& stop = {});
    void send_result(const base::json::Value& result, const base::Stop& stop = {});
    void send_error(const base::Error& error, const base::Stop& stop = {});

    // True once the peer closed its end.
    bool peer_left() const;
    // For a poll loop of one's own: POLLRDHUP and POLLHUP say that the peer left.
    int fd() const noexcept { return connection_.get(); }

  private:
    base::UniqueFd connection_;
};

} // namespace wire
