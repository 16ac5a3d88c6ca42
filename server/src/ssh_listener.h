// The SSH door's outside: accepts connections, counts them, and starts one slipway-ssh for each as
// the door's user. It speaks no SSH. One thread runs it (the children die with that thread);
// note_authenticated() is for any thread.
#pragma once

#include "tcp.h"

#include "base/guarded.h"
#include "base/process.h"
#include "base/stop.h"

#include <chrono>
#include <filesystem>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace server {

struct SshSettings {
    std::filesystem::path program; // slipway-ssh
    std::filesystem::path hooks;
    std::filesystem::path door_socket;
    std::vector<std::filesystem::path> host_keys;
    std::optional<std::pair<uid_t, gid_t>> run_as;
    std::string address; // "ssh://git@host:port", for greetings
    std::chrono::seconds login_timeout{30};
    std::uint64_t max_pack_bytes = 0;
    std::size_t max_unauthenticated = 100;
    std::size_t max_connections = 200;
    std::size_t max_per_address = 100;
};

class SshListener {
  public:
    SshListener(Listener listener, SshSettings settings)
        : listener_(std::move(listener)), settings_(std::move(settings)) {}

    // Accepts until `accepting` stops, then goes on until the last connection ended or `end` stops.
    void run(const base::Stop& accepting, const base::Stop& end);
    // This child has proved a key.
    void note_authenticated(pid_t child);

  private:
    struct Connection {
        base::Process process;
        std::string from;
    };
    void wait(const base::Stop& accepting, const base::Stop& end);
    void reap();
    void accept_one();
    std::string refusal(const std::string& from);
    base::Process start(int socket) const;

    Listener listener_;
    SshSettings settings_;
    std::list<Connection> connections_;
    base::Guarded<std::set<pid_t>> authenticated_;
};

} // namespace server
