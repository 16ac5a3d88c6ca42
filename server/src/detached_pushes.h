// Pushes with -o detach between two moments: their build is received (the pre-receive hook has been
// told yes), and git has moved the ref (the post-receive hook says so). Then the build is queued,
// from the repository itself. When that word never comes, the ref is looked at instead. What a
// killed server held so is judged at the next start (QueueSettings::has_arrived). Any thread.
#pragma once

#include "repositories.h"
#include "server/queue.h"

#include "base/guarded.h"
#include "base/stop.h"
#include "base/task_group.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace server {

class DetachedPushes {
  public:
    // Both are borrowed. patience: how long git may take to move a ref.
    DetachedPushes(Queue& queue, const Repositories& repositories,
                   std::chrono::milliseconds patience = std::chrono::minutes(1))
        : queue_(queue), repositories_(repositories), patience_(patience) {}

    struct Held {
        std::string build; // received
        std::string app;
        std::string ref;
        std::string commit;
    };
    // push: the token that post-receive will say.
    void hold(const std::string& push, Held held);
    // git has moved the ref. Returns the build's id. Throws Error{not_found} when nothing is held
    // under this name, Error{cancelled} when the build is over already.
    std::string accept(const std::string& push);

  private:
    struct Waiting {
        Held held;
        base::StopSource accepted;
    };
    std::shared_ptr<Waiting> take(const std::string& push);
    void wait(const std::string& push, const base::Stop& accepted, const base::Stop& stop);
    void judge(const Held& held);

    Queue& queue_;
    const Repositories& repositories_;
    const std::chrono::milliseconds patience_;
    base::Guarded<std::map<std::string, std::shared_ptr<Waiting>>> waiting_;
    base::TaskGroup watchers_; // one a push that is held: seconds at most
};

} // namespace server
