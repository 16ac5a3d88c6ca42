// The bare repositories of the apps, owned by the door's user. Any thread; git is run as that user.
#pragma once

#include "state_directory.h"

#include <string>
#include <vector>

namespace server {

class Repositories {
  public:
    Repositories(const StateDirectory& state, SystemUser owner)
        : state_(state), owner_(std::move(owner)) {}

    void create(const std::string& app) const; // no templates, no hooks, HEAD is main
    // A clone checks out the branch that was deployed last. A failure is only logged.
    void point_head(const std::string& app, const std::string& ref) const noexcept;
    // Empty when there is no such ref, or it cannot be read.
    std::string head_of(const std::string& app, const std::string& ref) const noexcept;
    void remove(const std::string& app) const;
    // A lock of the ref that a killed git left: pushes would be refused until the next start.
    void sweep_lock(const std::string& app, const std::string& ref) const noexcept;
    // After a crash, while no push runs: quarantines and lock files that nobody holds.
    void sweep() const;

  private:
    std::string run_git(std::vector<std::string> arguments) const;

    const StateDirectory& state_;
    SystemUser owner_;
};

} // namespace server
