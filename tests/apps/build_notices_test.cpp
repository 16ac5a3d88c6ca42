// What is said of a build's states stands in the table exactly when they do. On both databases.
#include "contract.h"

using namespace contract;
using namespace std::chrono_literals;

namespace {

std::vector<apps::Notice> say_state(const Build& build, const std::optional<apps::Hook>& hook,
                                    const std::vector<apps::Subscription>& subscriptions) {
    std::vector<apps::Notice> notices;
    const auto add = [&](const std::string& target) {
        apps::Notice notice;
        notice.kind = "event";
        notice.app = build.app;
        notice.target = target;
        notice.subject = build.id;
        notice.payload = apps::to_string(build.state);
        notices.push_back(notice);
    };
    if (hook) add(hook->id);
    for (const auto& subscription : subscriptions) add(subscription.id);
    return notices;
}

std::unique_ptr<apps::Store> open_with_listeners(const contract::Place& place) {
    auto store = place.open();
    store->add_app({"shop", 1});
    apps::Hook hook;
    hook.id = "h1";
    hook.app = "shop";
    store->hooks().add(hook);
    apps::Subscription subscription;
    subscription.id = "n1";
    subscription.app = "shop";
    store->notices().add(subscription);
    store->builds().write_notices_with(say_state);
    return store;
}

std::string told(apps::Store& store, const std::string& target, const std::string& build) {
    std::string states;
    for (const auto& notice : store.notices().list_of(target, build))
        states += notice.payload + " ";
    return states;
}

Build durable(const std::string& id) {
    auto build = queued("shop", id);
    build.durable = true;
    build.hook = "h1";
    return build;
}

} // namespace

TEST_CASE("every change of a build's state writes its notices, in the order of the states") {
    CONTRACT_PLACE(place);
    const auto store = open_with_listeners(place);
    auto build = durable("b1");
    build.state = BuildState::received;
    store->builds().add(build);
    CHECK(store->builds().enqueue("b1"));
    CHECK_FALSE(store->builds().enqueue("b1"));
    REQUIRE(store->builds().claim("w", 0ms));
    REQUIRE(store->builds().recover({}).size() == 1);
    auto claim = *store->builds().claim("w", 1min);
    store->builds().note(claim.build, claim.fence); // no new state: nothing to say
    claim.build.state = BuildState::exporting;
    store->builds().note(claim.build, claim.fence);
    claim.build.phases.emplace_back("export", 1);
    store->builds().note(claim.build, claim.fence);
    end(*store, claim);
    const std::string all = "received queued running queued running exporting published ";
    CHECK(told(*store, "h1", "b1") == all);
    CHECK(told(*store, "n1", "b1") == all);
}

TEST_CASE("builds that end without having begun are told of as well") {
    CONTRACT_PLACE(place);
    const auto store = open_with_listeners(place);
    store->builds().add(durable("b1"));
    store->builds().add(durable("b2"));
    CHECK(store->builds().supersede(apps::Older::queued, durable("b2"), "a newer push").size() ==
          1);
    auto closed = *store->builds().find("b2");
    closed.state = BuildState::cancelled;
    closed.finished = 1;
    CHECK(store->builds().close(closed));
    CHECK_FALSE(store->builds().close(closed));
    CHECK(told(*store, "n1", "b1") == "queued superseded ");
    CHECK(told(*store, "n1", "b2") == "queued cancelled ");
}

TEST_CASE(
    "a state whose notices cannot be written is not taken, one that is not taken is not told") {
    CONTRACT_PLACE(place);
    const auto store = open_with_listeners(place);
    store->builds().add(durable("b1"));
    auto claim = *store->builds().claim("w", 1min);
    store->builds().write_notices_with(
        [](const Build& build, const auto& hook, const auto& subscriptions) {
            auto notices = say_state(build, hook, subscriptions);
            notices.back().app = "no such app"; // the first one is in the table by now
            return notices;
        });
    CHECK(kind_of([&] { end(*store, claim); }) != ErrorKind::denied);
    CHECK(place.open()->builds().find("b1")->state == BuildState::running);
    CHECK(told(*store, "h1", "b1") == "queued running ");

    store->builds().write_notices_with(say_state);
    REQUIRE(store->builds().recover({}, "w").size() == 1);
    CHECK(kind_of([&] { end(*store, claim); }) == ErrorKind::denied);
    CHECK(told(*store, "n1", "b1") == "queued running queued ");
}

TEST_CASE(
    "a build that begins at once, and one that a newer image makes superfluous, are told of") {
    CONTRACT_PLACE(place);
    const auto store = open_with_listeners(place);
    store->builds().add(durable("b1"));
    end(*store, *store->builds().claim("w", 1min));
    auto rebase = queued("shop", "b2");
    rebase.door = "rebase";
    const auto begun = store->builds().begin(rebase, "b1", "w", 1min);
    CHECK(told(*store, "n1", "b2") == "running ");
    end(*store, begun);
    CHECK(told(*store, "n1", "b2") == "running published ");

    store->builds().add(durable("b3"));
    auto claim = *store->builds().claim("w", 1min);
    claim.build.state = BuildState::exporting;
    store->builds().note(claim.build, claim.fence);
    store->builds().park(claim.build, claim.fence, 1h);
    REQUIRE(store->builds().supersede(apps::Older::parked, durable("b4"), "newer").size() == 1);
    CHECK(told(*store, "n1", "b3") == "queued running exporting superseded ");
}
