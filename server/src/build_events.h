// Who wants to hear when something about an app's builds changes: a new one, another state. What
// changed stands in the store; this only wakes. main owns the one BuildEvents; any thread.
#pragma once

#include "server/build_log.h"

#include "base/guarded.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace server {

class BuildEvents {
  public:
    std::shared_ptr<BuildLog::Follower> follow(const std::string& app);
    void announce(const std::string& app) noexcept;

  private:
    base::Guarded<std::multimap<std::string, std::weak_ptr<BuildLog::Follower>>> followers_;
};

} // namespace server
