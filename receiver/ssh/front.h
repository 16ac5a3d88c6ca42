// The SSH conversation up to the one command that a connection may run: key exchange, a proved
// key, a session channel. One thread owns it.
//
// It refuses: every way to log in but a public key, a second channel or command, terminals,
// subsystems, forwardings, agents, and every environment variable but GIT_PROTOCOL.
#pragma once

#include "base/stop.h"
#include "ssh/door.h"
#include "ssh/libssh.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace receiver {

struct Identity {
    std::string user;
    std::string fingerprint; // "SHA256:..."
};

struct Asked {
    bool shell = false;  // no command at all
    std::string command; // as the client sent it
    std::string git_protocol;
};

class Front {
  public:
    // Takes the socket over. host_keys: the text of each private key.
    Front(int socket, const std::vector<std::string>& host_keys, Door& door);
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    // Each is false when the client left, broke the protocol or was too slow.
    bool log_in(const base::Stop& stop);
    bool await_request(const base::Stop& stop);

    const Identity& identity() const { return *identity_; }
    const Asked& asked() const { return *asked_; }

    ssh_session session() const noexcept { return session_.get(); }
    ssh_channel channel() const noexcept { return channel_; }
    ssh_event event() const noexcept { return event_.get(); }

    // Says `text` as the reason for hanging up.
    void hang_up(const char* text) noexcept;
    // The last thing that went wrong on our side, for the log; empty when it was the client's end.
    const std::string& failure() const noexcept { return failure_; }

  private:
    bool exchange_keys(const base::Stop& stop);
    bool step(const base::Stop& stop);
    int judge_key(ssh_key key, char state) noexcept;
    std::optional<std::string> user_of(const std::string& fingerprint);
    void set_callbacks();

    static int on_key(ssh_session, const char*, ssh_key, char state, void* self) noexcept;
    static ssh_channel on_channel(ssh_session, void* self) noexcept;
    static int on_environment(ssh_session, ssh_channel, const char* name, const char* value,
                              void* self) noexcept;
    static int on_command(ssh_session, ssh_channel, const char* command, void* self) noexcept;
    static int on_shell(ssh_session, ssh_channel, void* self) noexcept;

    Door& door_;
    base::Stop login_stop_;
    Owned<ssh_session> session_; // before event_: the event lets go of it first
    Owned<ssh_event> event_;
    ssh_channel channel_ = nullptr; // freed with the session
    ssh_server_callbacks_struct server_callbacks_{};
    ssh_channel_callbacks_struct channel_callbacks_{};
    std::map<std::string, std::optional<std::string>> known_keys_;
    int attempts_ = 0;
    std::optional<Identity> identity_;
    std::optional<Asked> asked_;
    std::string git_protocol_;
    std::string failure_;
};

// Small segments go out at once, and what comes in is acknowledged at once: the handshake is a
// dozen small messages each way, and Nagle's and the delayed acknowledgement's 40 ms add up.
void answer_quickly(int socket) noexcept;

} // namespace receiver
