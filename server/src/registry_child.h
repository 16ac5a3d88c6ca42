// Debian's docker-registry as a child of ours: its configuration, its start, its restarts. main
// owns it; one thread of its own supervises.
#pragma once

#include "config_values.h"
#include "state_directory.h"

#include "base/fd.h"
#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"
#include "http/server.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace server {

// The images' directory, below the state directory.
std::filesystem::path registry_data(const StateDirectory& state);

struct RegistrySettings {
    std::string name = "registry"; // of its log and its configuration
    Address listen;
    SystemUser user;               // it runs as
    std::string realm;             // where its users get their tokens
    std::string token_certificate; // PEM: who signs these
    std::string secret;            // of upload sessions: all that serve one directory have the same
    std::optional<http::ServerTls> tls; // copied for it; read again when it changes
};

class RegistryChild {
  public:
    // Returns once it answers. Throws Error{unavailable} with its last words when it does not.
    RegistryChild(const StateDirectory& state, RegistrySettings settings);

    const Address& address() const noexcept { return settings_.listen; }

    // It starts again and takes no writes, or takes them again. Returns once it answers.
    void set_read_only(bool read_only, const base::Stop& stop);
    // Removes the blobs that are part of no manifest. Only while nobody writes.
    void sweep(const base::Stop& stop) const;

  private:
    void supervise(const base::Stop& stop);
    bool run_once(const base::Stop& stop);
    void write_configuration(bool read_only) const;
    void write_tls() const;
    void hand_over(const std::filesystem::path& path) const; // to its user
    void wait_until_ready(const base::Stop& stop);
    std::filesystem::path file(const std::string& ending) const;
    std::filesystem::file_time_type age_of_tls() const;

    // What the child is to be, and what the one that runs is.
    struct Mode {
        bool read_only = false;
        std::uint64_t wanted = 1; // grows with each change
        std::uint64_t started = 0;
    };
    const std::filesystem::path directory_, data_, log_;
    RegistrySettings settings_;
    base::Guarded<Mode> mode_;
    base::UniqueFd changed_; // an eventfd: the mode was changed
    base::TaskGroup group_;  // last: its thread uses the rest
};

// A TCP port that was free a moment ago.
std::uint16_t free_port(const std::string& host);

} // namespace server
