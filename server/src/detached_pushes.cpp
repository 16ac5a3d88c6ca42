#include "detached_pushes.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <poll.h>
#include <system_error>

namespace server {

using base::Error;
using base::ErrorKind;

void DetachedPushes::hold(const std::string& push, Held held) {
    auto waiting = std::make_shared<Waiting>();
    const auto build = held.build;
    waiting->held = std::move(held);
    waiting_.lock()->insert_or_assign(push, waiting);
    try {
        watchers_.start([this, push, accepted = waiting->accepted.stop()](const base::Stop& stop) {
            wait(push, accepted, stop);
        });
    } catch (const std::system_error& error) {
        // Nobody would look at the ref: the push is refused, and its build with it.
        take(push);
        queue_.cancel(build, "the server could not watch its push");
        throw Error(ErrorKind::unavailable,
                    std::string("the push cannot be watched: ") + error.what(),
                    "Push again in a minute.");
    }
}

std::shared_ptr<DetachedPushes::Waiting> DetachedPushes::take(const std::string& push) {
    auto waiting = waiting_.lock();
    auto node = waiting->extract(push);
    return node.empty() ? nullptr : std::move(node.mapped());
}

std::string DetachedPushes::accept(const std::string& push) {
    const auto waiting = take(push);
    if (!waiting)
        throw Error(ErrorKind::not_found, "this push waits for nothing any more",
                    "See what became of its build: ssh HOST builds list APP");
    waiting->accepted.request();
    base::failpoint("push_accepted");
    const auto& held = waiting->held;
    if (!queue_.accept(held.build))
        throw Error(ErrorKind::cancelled, "the build " + held.build + " has ended already");
    repositories_.point_head(held.app, held.ref);
    return held.build;
}

void DetachedPushes::wait(const std::string& push, const base::Stop& accepted,
                          const base::Stop& stop) {
    // On the server's stop the build stays received: the next start looks at the ref.
    if (stop.within(patience_).wait_for(accepted.fd(), POLLIN) || stop.requested()) return;
    if (const auto waiting = take(push)) judge(waiting->held);
}

// git failed after its pre-receive hook, or was killed, or its post-receive hook was.
void DetachedPushes::judge(const Held& held) {
    try {
        if (repositories_.head_of(held.app, held.ref) == held.commit) {
            queue_.accept(held.build);
            repositories_.point_head(held.app, held.ref);
        } else {
            queue_.cancel(held.build, "git did not move the branch");
        }
    } catch (const Error& error) { // the next start judges it again
        base::log::warning("a detached push could not be judged",
                           {{"build", held.build}, {"reason", error.describe()}});
    }
}

} // namespace server
