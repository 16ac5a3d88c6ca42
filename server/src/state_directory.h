// The directory of everything the server keeps: names, owners, modes, and the lock that makes us
// its only server. main owns it.
#pragma once

#include "base/fd.h"

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>

namespace server {

// A system user that a child runs as; empty: as ourselves.
struct SystemUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

// Throws Error{not_found} with the command that makes the user.
SystemUser look_up_user(const std::string& name);
SystemUser own_user();
// For ssh.user and the like: `wanted`, else `usual` where it exists, else ourselves. Only root may
// become another.
SystemUser choose_user(const std::string& wanted, const std::string& usual,
                       const std::string& config_key);
std::optional<std::pair<uid_t, gid_t>> run_as(const SystemUser& user); // empty: no change

class StateDirectory {
  public:
    // Throws Error{already_exists} when another server holds it.
    StateDirectory(std::filesystem::path root, const SystemUser& door, unsigned builds_owner);

    const std::filesystem::path& root() const noexcept { return root_; }
    std::filesystem::path database() const { return root_ / "slipway.db"; }
    std::filesystem::path repositories() const { return root_ / "repositories"; }
    std::filesystem::path repository(const std::string& app) const {
        return repositories() / (app + ".git");
    }
    std::filesystem::path run() const { return root_ / "run"; }
    std::filesystem::path control_socket() const { return run() / "control.sock"; }
    std::filesystem::path door_socket() const { return run() / "door.sock"; }
    std::filesystem::path logs() const { return root_ / "logs"; }
    std::filesystem::path log_of(const std::string& build) const {
        return logs() / (build + ".log");
    }
    std::filesystem::path registry() const { return root_ / "registry"; }
    std::filesystem::path images() const { return root_ / "images"; }
    std::filesystem::path buildpack_sources() const { return root_ / "buildpack-sources"; }
    std::filesystem::path caches() const { return root_ / "caches"; }
    std::filesystem::path builds() const { return root_ / "builds"; }
    std::filesystem::path kept() const { return root_ / "kept"; }       // images, by build
    std::filesystem::path sources() const { return root_ / "sources"; } // uploads, by digest
    std::filesystem::path secret_keys() const { return root_ / "secrets.key"; }
    std::filesystem::path inputs_key() const { return root_ / "inputs.key"; }
    std::filesystem::path signing_key() const { return root_ / "signing.key"; }
    std::filesystem::path signing_public_keys() const { return root_ / "signing.pub"; }
    std::filesystem::path host_keys() const { return root_ / "host_keys"; }
    std::filesystem::path programs() const { return root_ / "programs"; }

    // Made for one build and given to the ids that builds run as.
    void make_for_builds(const std::filesystem::path& directory) const;

  private:
    void take_lock();

    std::filesystem::path root_;
    unsigned builds_owner_; // 0: ourselves
    base::UniqueFd lock_;
};

void make_directory(const std::filesystem::path& path, unsigned mode);
std::uint64_t free_space(const std::filesystem::path& path);

} // namespace server
