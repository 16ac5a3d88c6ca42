// The command line of slipway-ssh. slipwayd writes it; people read it in docs/ssh.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace receiver {

struct Options {
    int socket_fd = -1;            // the accepted TCP connection
    std::vector<int> host_key_fds; // open private keys, OpenSSH or PEM format
    std::filesystem::path door;    // the daemon's door.sock
    std::filesystem::path hooks;   // directory whose pre-receive is slipway-hook
    std::string address;           // "ssh://git@host:port", shown in the greeting; may be empty
    std::chrono::seconds login_timeout{30};
    std::chrono::seconds idle_timeout{900};
    std::uint64_t max_pack_bytes = std::uint64_t{2} << 30; // 0: no limit
};

// Throws Error{invalid_input} naming the argument.
Options parse_options(int argc, char** argv);

} // namespace receiver
