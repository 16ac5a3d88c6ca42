// Many pushes with -o detach at once: the door answers each on a thread of its own.
#include "detached_pushes.h"

#include "queue_site.h"

#include "base/task_group.h"

using apps::BuildState;
using namespace queue_site;

TEST_CASE("many detached pushes are held and accepted at once, and all of them build") {
    Site site(2, 500);
    const auto user = server::own_user();
    const server::StateDirectory state(site.directory.path() / "state", user, 0);
    const server::Repositories repositories(state, user);
    server::DetachedPushes pushes(*site.queue, repositories);
    base::TaskGroup doors;
    for (int door = 0; door < 8; ++door)
        doors.start([&, door](const base::Stop&) {
            for (int i = 0; i < 6; ++i) {
                auto wanted = Site::durable("shop");
                wanted.ref = "refs/heads/" + std::to_string(door) + "-" + std::to_string(i);
                wanted.hold = true;
                const auto build = site.queue->submit(wanted);
                const auto push = "push-" + wanted.ref;
                pushes.hold(push, {build->id(), "shop", wanted.ref, wanted.commit});
                if (pushes.accept(push) != build->id())
                    throw base::Error(base::ErrorKind::internal, "another build was accepted");
            }
        });
    doors.join();
    CHECK(site.store->builds().count({.state = BuildState::received}) == 0);
    CHECK(site.store->builds().count({}) == 48);
}
