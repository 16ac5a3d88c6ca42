// Builds that begin at once, on both databases.

#include "contract.h"

using namespace contract;
using namespace std::chrono_literals;

namespace {

// "b1", published.
void release(apps::Store& store) {
    store.builds().add(queued("shop", "b1"));
    end(store, *store.builds().claim("worker", 1min));
}

Build rebase(const std::string& id = "b2") {
    auto build = queued("shop", id);
    build.door = "rebase";
    return build;
}

} // namespace

TEST_CASE("a rebase has its app's turn until it has ended") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    release(*store);
    const auto claim = store->builds().begin(rebase(), "b1", "server", 1min);
    CHECK(claim.build.state == BuildState::running);
    CHECK(claim.build.worker == "server");
    CHECK(claim.build.started > 0);
    CHECK(store->builds().renew("b2", claim.fence, 1min));
    store->builds().add(queued("shop", "b3"));
    CHECK_FALSE(store->builds().claim("worker", 1min));
    CHECK(kind_of([&] { store->builds().begin(rebase("b4"), "b1", "server", 1min); }) ==
          ErrorKind::already_exists);
    end(*store, claim);
    CHECK(store->builds().last_published("shop")->id == "b2");
    CHECK(store->builds().claim("worker", 1min)->build.id == "b3");
}

TEST_CASE("a rebase of what is not the last release any more does not begin") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    const auto begin = [&](const std::string& parent) {
        return store->builds().begin(rebase(), parent, "server", 1min);
    };
    CHECK(kind_of([&] { begin("b1"); }) == ErrorKind::already_exists);
    release(*store);
    CHECK(kind_of([&] { begin("b0"); }) == ErrorKind::already_exists);
    CHECK_FALSE(store->builds().find("b2"));
    CHECK_NOTHROW(begin("b1"));
    auto of_nobody = rebase("b5");
    of_nobody.app = "nobody";
    CHECK(kind_of([&] { store->builds().begin(of_nobody, "b1", "server", 1min); }) ==
          ErrorKind::not_found);
}

TEST_CASE("a rebase that its server's death cut off is lost, and its app's builds go on") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    release(*store);
    const auto claim = store->builds().begin(rebase(), "b1", "server", 1min);
    store->builds().add(queued("shop", "b3"));
    const auto changed = store->builds().recover({3, "its source is gone", "poison"}, "server");
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].state == BuildState::lost);
    CHECK_THAT(changed[0].reason, Catch::Contains("rebase it again"));
    CHECK(kind_of([&] { end(*store, claim); }) == ErrorKind::denied);
    CHECK(store->builds().last_published("shop")->id == "b1");
    CHECK(store->builds().claim("worker", 1min)->build.id == "b3");
}

TEST_CASE("the time that a rebase took says nothing of how long builds take") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    release(*store);
    const auto usual = store->builds().usual_duration("shop");
    auto claim = store->builds().begin(rebase(), "b1", "server", 1min);
    claim.build.state = BuildState::published;
    claim.build.finished = claim.build.started + 100'000;
    store->builds().finish(claim.build, claim.fence);
    CHECK(store->builds().usual_duration("shop") == usual);
}
