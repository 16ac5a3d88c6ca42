// Leases and fences: dead workers, slow workers, many workers. On both databases.
#include "contract.h"

#include "base/guarded.h"
#include "base/task_group.h"

#include <map>
#include <set>

using namespace contract;
using namespace std::chrono_literals;

namespace {

const apps::RecoverSettings settings{3, "its source is gone", "it took its worker down"};

Build durable(const std::string& app, const std::string& id) {
    Build build = queued(app, id);
    build.durable = true;
    return build;
}

} // namespace

TEST_CASE("a worker that was given up on cannot write over its successor") {
    CONTRACT_PLACE(place);
    const auto old_server = place.open(), new_server = place.open();
    old_server->add_app({"shop", 1});
    old_server->builds().add(durable("shop", "b1"));
    auto old_claim = *old_server->builds().claim("old", 0ms); // ran out at once
    const auto changed = new_server->builds().recover(settings);
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].state == BuildState::queued);
    CHECK_FALSE(old_server->builds().renew("b1", old_claim.fence, 1min));
    CHECK(kind_of([&] { end(*old_server, old_claim); }) == ErrorKind::denied);

    auto new_claim = *new_server->builds().claim("new", 1min);
    CHECK(new_claim.fence > old_claim.fence);
    CHECK(new_claim.build.attempt == 2);
    CHECK_FALSE(old_server->builds().renew("b1", old_claim.fence, 1min));
    old_claim.build.state = BuildState::exporting;
    CHECK(kind_of([&] { old_server->builds().note(old_claim.build, old_claim.fence); }) ==
          ErrorKind::denied);
    CHECK(kind_of([&] { end(*old_server, old_claim, BuildState::broken); }) == ErrorKind::denied);
    CHECK(new_server->builds().find("b1")->state == BuildState::running);
    CHECK(new_server->builds().find("b1")->worker == "new");
    CHECK(new_server->builds().renew("b1", new_claim.fence, 1min));
    end(*new_server, new_claim);
    CHECK(old_server->builds().find("b1")->state == BuildState::published);
}

TEST_CASE("a lease that holds is left alone, one that was renewed in time too") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"shop", "blog"}) {
        store->add_app({app, 1});
        store->builds().add(durable(app, std::string("b-") + app));
    }
    const auto first = *store->builds().claim("w1", 1min);
    const auto second = *store->builds().claim("w2", 0ms);
    CHECK(store->builds().renew(second.build.id, second.fence, 1min)); // nobody took it away
    CHECK(store->builds().recover(settings).empty());
    const auto restarted = store->builds().recover(settings, "w1");
    REQUIRE(restarted.size() == 1);
    CHECK(restarted[0].id == first.build.id);
}

TEST_CASE("a dead worker's build waits again, is lost, or is cancelled as somebody asked") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"again", "fragile", "stopped"}) store->add_app({app, 1});
    store->builds().add(durable("again", "b1"));
    store->builds().add(queued("fragile", "b2"));
    store->builds().add(durable("stopped", "b3"));
    for (int i = 0; i < 3; ++i) REQUIRE(store->builds().claim("w", 0ms));
    store->builds().request_cancel("b3", "ann asked");
    CHECK(store->builds().recover(settings).size() == 3);
    const auto again = *store->builds().find("b1");
    CHECK(again.state == BuildState::queued);
    CHECK(again.worker.empty());
    CHECK(again.started == 0);
    CHECK(again.finished == 0);
    CHECK(store->builds().find("b2")->state == BuildState::lost);
    CHECK(store->builds().find("b2")->reason == settings.lost_reason);
    CHECK(store->builds().find("b2")->finished > 0);
    CHECK(store->builds().find("b3")->state == BuildState::cancelled);
    CHECK(store->builds().find("b3")->reason == "ann asked");
}

TEST_CASE("a build that takes its worker down each time is given up") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->builds().add(durable("shop", "b1"));
    for (int attempt = 1; attempt <= 3; ++attempt) {
        REQUIRE(store->builds().claim("w", 0ms)->build.attempt == attempt);
        REQUIRE(store->builds().recover(settings).size() == 1);
    }
    CHECK_FALSE(store->builds().claim("w", 0ms));
    CHECK(store->builds().find("b1")->state == BuildState::lost);
    CHECK(store->builds().find("b1")->reason == settings.poison_reason);
}

TEST_CASE("what a worker gives back in good order was no attempt; what it left behind was one") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->builds().add(durable("shop", "b1"));
    auto orderly = settings;
    orderly.orderly = true;
    for (int stop = 0; stop < 4; ++stop) {
        REQUIRE(store->builds().claim("w", 1min)->build.attempt == 1);
        REQUIRE(store->builds().recover(orderly, "w").size() == 1);
        REQUIRE(store->builds().find("b1")->state == BuildState::queued);
        CHECK(store->builds().find("b1")->attempt == 0);
    }
    // Another worker's lease that ran out meanwhile is another matter.
    REQUIRE(store->builds().claim("dead", 0ms));
    REQUIRE(store->builds().recover(orderly, "w").size() == 1);
    CHECK(store->builds().find("b1")->attempt == 1);
}

TEST_CASE("eight workers on two servers take 200 builds of ten owners, each once, one an app") {
    CONTRACT_PLACE(place);
    const auto first = place.open(), second = place.open();
    for (int app = 0; app < 20; ++app)
        first->add_app({"app" + std::to_string(app), 1, "owner" + std::to_string(app % 10)});
    for (int i = 0; i < 200; ++i)
        first->builds().add(queued("app" + std::to_string(i % 20), "b" + std::to_string(1000 + i)));

    struct Seen {
        std::multiset<std::string> builds;
        std::map<std::string, int> running; // app -> how many at once
        int most_at_once = 0;
    };
    base::Guarded<Seen> seen;
    base::TaskGroup workers;
    for (int worker = 0; worker < 8; ++worker)
        workers.start([&, worker](const base::Stop&) {
            auto& store = worker % 2 ? *first : *second;
            while (true) {
                const auto claim = store.builds().claim("w" + std::to_string(worker), 1min);
                if (!claim) {
                    // All that wait may be of apps whose builds run: those workers go on.
                    if (store.builds().count({.state = BuildState::queued}) == 0) return;
                    continue;
                }
                {
                    auto now = seen.lock();
                    now->builds.insert(claim->build.id);
                    now->most_at_once =
                        std::max(now->most_at_once, ++now->running[claim->build.app]);
                }
                --seen.lock()->running[claim->build.app];
                auto build = claim->build;
                build.state = BuildState::published;
                build.finished = build.started + 1;
                store.builds().finish(build, claim->fence);
            }
        });
    workers.join();
    auto all = seen.lock();
    CHECK(all->builds.size() == 200);
    CHECK(std::set<std::string>(all->builds.begin(), all->builds.end()).size() == 200);
    CHECK(all->most_at_once == 1);
    CHECK(first->builds().count({.state = BuildState::published}) == 200);
}

TEST_CASE("ten owners get their starts in turn, however many builds each has") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    int id = 1000;
    for (int owner = 0; owner < 10; ++owner) {
        const auto app = "app" + std::to_string(owner);
        store->add_app({app, 1, "owner" + std::to_string(owner)});
        for (int i = 0; i < (owner == 0 ? 30 : 3); ++i)
            store->builds().add(queued(app, "b" + std::to_string(id++)));
    }
    std::map<std::string, int> starts;
    for (int round = 0; round < 30; ++round) {
        auto claim = store->builds().claim("w", 1min);
        REQUIRE(claim);
        ++starts[claim->build.owner];
        end(*store, std::move(*claim));
    }
    CHECK(starts.size() == 10);
    for (const auto& [owner, count] : starts) CHECK(count == 3);
}
