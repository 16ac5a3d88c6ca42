#include "apps/store.h"

#include "base/error.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using apps::Build;
using apps::BuildState;
using namespace std::chrono_literals;

namespace {

struct Opened {
    base::TempDir directory{"builds"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    apps::Builds& builds = store->builds();

    Build add(const std::string& app, const std::string& id, int priority = 0) {
        if (!store->find_app(app)) store->add_app({app, 1});
        Build build;
        build.id = id;
        build.app = app;
        build.ref = "refs/heads/main";
        build.source_kind = "git";
        build.priority = priority;
        build.created = apps::now_milliseconds();
        builds.add(build);
        return build;
    }
};

} // namespace

TEST_CASE("a build is claimed once, and the next of its app when it has ended") {
    Opened opened;
    opened.add("shop", "b1");
    opened.add("shop", "b2");
    auto first = opened.builds.claim("w", 1min);
    REQUIRE(first);
    CHECK(first->build.id == "b1");
    CHECK(first->build.state == BuildState::running);
    CHECK(first->build.attempt == 1);
    CHECK(first->build.started > 0);
    CHECK_FALSE(opened.builds.claim("w", 1min));
    first->build.state = BuildState::published;
    first->build.finished = first->build.started + 10;
    opened.builds.finish(first->build, first->fence);
    CHECK(opened.builds.claim("w", 1min)->build.id == "b2");
    CHECK(opened.builds.usual_duration("shop") == 10);
}

TEST_CASE("a build whose lease ran out is queued again, and its old worker cannot write") {
    Opened opened;
    auto build = opened.add("shop", "b1");
    build.id = "b2";
    build.durable = true;
    build.app = "blog";
    opened.store->add_app({"blog", 1});
    opened.builds.add(build);
    auto fragile = *opened.builds.claim("old", 0ms);
    auto durable = *opened.builds.claim("old", 0ms);
    CHECK(opened.builds.recover({3, "lost", "poison"}).size() == 2);
    CHECK(opened.builds.find(fragile.build.id)->state == BuildState::lost);
    CHECK(opened.builds.find(durable.build.id)->state == BuildState::queued);
    const auto again = opened.builds.claim("new", 1min);
    REQUIRE(again);
    CHECK(again->build.id == durable.build.id);
    CHECK(again->fence > durable.fence);
    CHECK_FALSE(opened.builds.renew(durable.build.id, durable.fence, 1min));
    durable.build.state = BuildState::published;
    CHECK_THROWS_AS(opened.builds.finish(durable.build, durable.fence), base::Error);
    CHECK_THROWS_AS(opened.builds.note(durable.build, durable.fence), base::Error);
    CHECK(opened.builds.renew(again->build.id, again->fence, 1min));
    CHECK(opened.builds.place("b2").ahead == 0);
}

TEST_CASE("people go before webhooks, and the place says so") {
    Opened opened;
    opened.add("shop", "b1", 1);
    opened.add("blog", "b2", 0);
    CHECK(opened.builds.place("b1").ahead == 1);
    CHECK(opened.builds.place("b2").ahead == 0);
    CHECK(opened.builds.place("b2").queued == 2);
    CHECK(opened.builds.claim("w", 1min)->build.id == "b2");
}

TEST_CASE("what is old enough and not needed is listed for removal") {
    Opened opened;
    for (const char* id : {"b1", "b2", "b3", "b4"}) {
        auto build = opened.add("shop", id);
        build.state = std::string(id) == "b2" ? BuildState::published : BuildState::refused;
        build.finished = 5;
        opened.store->update_build(build);
    }
    const auto expired = opened.builds.list_expired(10, 1);
    REQUIRE(expired.size() == 2);
    CHECK(expired[0].id == "b1");
    CHECK(expired[1].id == "b3");
    CHECK(opened.builds.list_expired(5, 1).empty());
}
