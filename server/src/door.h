// The verbs of door.sock: who a key is, what it may open, and a push from its refs to its digest.
// Any thread.
#pragma once

#include "detached_pushes.h"
#include "door_commands.h"
#include "site.h"

#include "base/guarded.h"
#include "base/json.h"
#include "receiver/git_policy.h"
#include "receiver/push_options.h"
#include "wire/server.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace server {

class Door {
  public:
    Door(const Site& site, std::function<void(pid_t)> on_authenticated)
        : site_(site), on_authenticated_(std::move(on_authenticated)), commands_(site),
          detached_(site.queue, site.repositories) {}

    base::json::Value answer(const base::json::Value& request, wire::Exchange& exchange,
                             const base::Stop& stop);

  private:
    struct Push {
        std::string app;
        std::string fingerprint;
        std::string user;
        std::uint64_t number = 0; // in the order they were opened
    };
    struct Pushes {
        std::map<std::string, Push> by_token;
        std::uint64_t opened = 0;
    };
    base::json::Value identify(const base::json::Value& request);
    base::json::Value open(const base::json::Value& request, pid_t peer);
    base::json::Value push(const base::json::Value& request, wire::Exchange& exchange,
                           const base::Stop& stop);
    base::json::Value leave(const std::string& token, const LiveBuild& build, const Push& push,
                            const receiver::Deploy& deploy, wire::Exchange& exchange);
    base::json::Value accepted(const base::json::Value& request);
    receiver::PushOptions read_options(const base::json::Value& request, wire::Exchange& exchange);
    std::string remember(Push push);
    Push take(const std::string& token);
    receiver::Deploy decide(const base::json::Value& request, wire::Exchange& exchange);
    std::shared_ptr<LiveBuild> submit(const base::json::Value& request, const Push& push,
                                      const receiver::Deploy& deploy,
                                      const receiver::PushOptions& options);
    void follow(LiveBuild& build, wire::Exchange& exchange, const base::Stop& stop);

    const Site& site_;
    std::function<void(pid_t)> on_authenticated_;
    DoorCommands commands_;
    DetachedPushes detached_;
    base::Guarded<Pushes> pushes_;
};

} // namespace server
