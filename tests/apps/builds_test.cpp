// The queue's rules, on both databases.
#include "contract.h"

using namespace contract;
using namespace std::chrono_literals;

namespace {

Build add(apps::Store& store, const std::string& app, const std::string& id, int priority = 0) {
    if (!store.find_app(app)) store.add_app({app, 1});
    Build build = queued(app, id);
    build.priority = priority;
    store.builds().add(build);
    return build;
}

std::string claim_id(apps::Store& store) {
    const auto claim = store.builds().claim("w", 1min);
    return claim ? claim->build.id : "none";
}

} // namespace

TEST_CASE("a build is claimed once, and the next of its app when it has ended") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    add(*store, "shop", "b1");
    add(*store, "shop", "b2");
    auto first = store->builds().claim("w7", 1min);
    REQUIRE(first);
    CHECK(first->build.id == "b1");
    CHECK(first->build.state == BuildState::running);
    CHECK(first->build.attempt == 1);
    CHECK(first->build.worker == "w7");
    CHECK(std::abs(first->build.started - apps::now_milliseconds()) < 60'000);
    CHECK_FALSE(store->builds().claim("w", 1min));
    first->build.state = BuildState::exporting;
    first->build.phases = {{"fetch", 3}};
    store->builds().note(first->build, first->fence);
    CHECK(store->builds().find("b1")->state == BuildState::exporting);
    CHECK(store->builds().find("b1")->phases.size() == 1);
    CHECK_FALSE(store->builds().claim("w", 1min));
    end(*store, *first);
    CHECK(claim_id(*store) == "b2");
    CHECK(kind_of([&] { end(*store, *first); }) == ErrorKind::denied);
}

TEST_CASE("every field of a build is kept") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1, "ann"});
    Build build = queued("shop");
    build.door = "webhook";
    build.priority = 1;
    build.source = R"({"url": "https://example.org/ä'\"?:x"})";
    build.durable = true;
    build.options = R"({"no_cache": true})";
    build.sealed = "sealed";
    build.hook = "h1";
    build.previous = std::string(40, 'c');
    build.state = BuildState::received;
    store->builds().add(build);
    const auto found = store->builds().find(build.id);
    REQUIRE(found);
    CHECK(found->owner == "ann");
    CHECK(found->door == "webhook");
    CHECK(found->priority == 1);
    CHECK(found->source == build.source);
    CHECK(found->durable);
    CHECK(found->options == build.options);
    CHECK(found->sealed == "sealed");
    CHECK(found->hook == "h1");
    CHECK(found->previous == build.previous);
    CHECK(found->state == BuildState::received);
    CHECK(found->worker.empty());
    CHECK(store->builds().enqueue(build.id));
    CHECK_FALSE(store->builds().enqueue(build.id));
    CHECK(kind_of([&] { store->builds().add(build); }) == ErrorKind::already_exists);
    CHECK(kind_of([&] { store->builds().add(queued("none")); }) == ErrorKind::not_found);
}

TEST_CASE("received builds are not claimed before they are queued") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    Build build = queued("shop");
    build.state = BuildState::received;
    store->builds().add(build);
    CHECK(claim_id(*store) == "none");
    store->builds().enqueue(build.id);
    CHECK(claim_id(*store) == build.id);
}

TEST_CASE("people go before webhooks, but not for ever") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    add(*store, "hooked", "b1", 1);
    add(*store, "shop", "b2");
    Build old = queued("blog", "b3");
    old.priority = 1;
    old.created -= 3'600'000;
    store->add_app({"blog", 1});
    store->builds().add(old);
    add(*store, "wiki", "b4");
    CHECK(claim_id(*store) == "b2");
    CHECK(claim_id(*store) == "b3"); // its hour of waiting made it a person's
    CHECK(claim_id(*store) == "b4");
    CHECK(claim_id(*store) == "b1");
}

TEST_CASE("an owner with many builds does not keep another's one waiting") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (int i = 0; i < 5; ++i) store->add_app({"big" + std::to_string(i), 1, "ann"});
    store->add_app({"small", 1, "bob"});
    store->add_app({"ann", 1}); // called as the owner is, and nobody's
    for (int i = 0; i < 5; ++i) add(*store, "big" + std::to_string(i), "b1" + std::to_string(i));
    add(*store, "small", "b20");
    add(*store, "ann", "b21");
    CHECK(claim_id(*store) == "b10");
    CHECK(claim_id(*store) == "b20");
    CHECK(claim_id(*store) == "b21");
    CHECK(claim_id(*store) == "b11");
}

TEST_CASE("a newer push takes the turn of the older ones of its ref that wait") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    add(*store, "shop", "b1");
    REQUIRE(claim_id(*store) == "b1");
    add(*store, "shop", "b2");
    add(*store, "blog", "b3");
    Build other = queued("shop", "b4");
    other.ref = "refs/heads/next";
    store->builds().add(other);
    add(*store, "shop", "b5");
    const auto newest = add(*store, "shop", "b6");
    add(*store, "shop", "b7");
    CHECK(store->builds().supersede(apps::Older::queued, newest, "b6 came") ==
          std::vector<std::string>{"b2", "b5"});
    CHECK(store->builds().find("b5")->state == BuildState::superseded);
    CHECK(store->builds().find("b5")->reason == "b6 came");
    CHECK(store->builds().find("b5")->finished > 0);
    for (const char* id : {"b3", "b4", "b6", "b7"})
        CHECK(store->builds().find(id)->state == BuildState::queued);
    CHECK(store->builds().find("b1")->state == BuildState::running);
}

TEST_CASE("a build that ended without an image gives its key away, most of them to who insists") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    auto& builds = store->builds();
    int number = 0;
    for (const auto state :
         {BuildState::received, BuildState::queued, BuildState::published, BuildState::refused,
          BuildState::cancelled, BuildState::superseded, BuildState::lost, BuildState::broken}) {
        const auto key = "tree-" + std::to_string(number);
        const auto id = [&] { return "b" + std::to_string(++number); };
        auto first = queued("shop", id());
        first.state = state;
        CAPTURE(apps::to_string(state));
        REQUIRE(builds.add_once(first, key) == first.id);
        const auto again = builds.add_once(queued("shop", id()), key);
        CHECK((again != first.id) == (state == BuildState::lost || state == BuildState::broken));
        const auto insisted = builds.add_once(queued("shop", id()), key, 0, 0, std::nullopt,
                                              apps::Replace::without_image);
        const bool has_answer = !apps::is_over(state) || state == BuildState::published;
        CHECK((insisted == first.id) == has_answer);
        CHECK(builds.add_once(queued("shop", id()), key) == insisted); // and that one is built once
        CHECK(builds.find(first.id)->state == state);
    }
}

TEST_CASE("a build that one may not start twice is started once, app by app") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"shop", "blog"}) store->add_app({app, 1});
    CHECK(store->builds().add_once(queued("shop", "b1"), "tree") == "b1");
    CHECK(store->builds().add_once(queued("shop", "b2"), "tree") == "b1");
    CHECK(store->builds().add_once(queued("shop", "b3"), "other") == "b3");
    CHECK(store->builds().add_once(queued("blog", "b4"), "tree") == "b4");
    CHECK(store->builds().count({}) == 3);
}

TEST_CASE("a full queue takes no more, and an owner no more than a share") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1, "ann"});
    store->add_app({"blog", 1, "ann"});
    store->add_app({"wiki", 1});
    store->builds().add(queued("shop"), 3, 2);
    store->builds().add(queued("blog"), 3, 2);
    CHECK(kind_of([&] { store->builds().add(queued("shop"), 3, 2); }) == ErrorKind::limit_exceeded);
    store->builds().add(queued("wiki"), 3, 2);
    CHECK(kind_of([&] { store->builds().add(queued("wiki"), 3, 2); }) == ErrorKind::limit_exceeded);
    CHECK(store->database().faults() == 0);
    store->builds().add(queued("wiki"));
    CHECK(store->builds().count({.state = BuildState::queued}) == 4);
}

TEST_CASE("who waits knows the place, and the next one's is the first") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"a1", "a2", "a3"}) store->add_app({app, 1, "ann"});
    add(*store, "a1", "b1");
    REQUIRE(claim_id(*store) == "b1");
    add(*store, "a2", "b2");
    add(*store, "a3", "b3");
    add(*store, "bob", "b4");
    add(*store, "hooked", "b5", 1);
    CHECK(store->builds().place("b4").ahead == 1); // the running one
    CHECK(store->builds().place("b2").ahead == 2);
    CHECK(store->builds().place("b3").ahead == 3);
    CHECK(store->builds().place("b5").ahead == 4);
    CHECK(store->builds().place("b5").queued == 4);
    CHECK(store->builds().place("b1").ahead == 0);
    CHECK(store->builds().place("none").ahead == 0);
}

TEST_CASE("what an app's builds usually take is the mean of those that ran lately") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    CHECK_FALSE(store->builds().usual_duration("shop"));
    for (int i = 10; i < 40; ++i) {
        Build build = queued("shop", "b" + std::to_string(i));
        build.state = i % 2 ? BuildState::published : BuildState::superseded;
        build.started = i % 2 ? 1'700'000'000'000 : 0;
        build.finished = 1'700'000'000'000 + (i < 13 ? 1'000'000 : 100);
        store->builds().add(build);
    }
    CHECK(store->builds().usual_duration("shop") == (14 * 100 + 1'000'000) / 15);
    for (int i = 50; i < 70; ++i) {
        Build build = queued("shop", "b" + std::to_string(i));
        build.state = BuildState::refused;
        build.started = 5;
        build.finished = 12;
        store->builds().add(build);
    }
    CHECK(store->builds().usual_duration("shop") == 7);
}

TEST_CASE("builds are listed by app, apps, state and page, and counted likewise") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    add(*store, "shop", "b1");
    add(*store, "blog", "b2");
    add(*store, "wiki", "b3");
    add(*store, "shop", "b4");
    REQUIRE(claim_id(*store) == "b1");
    const auto ids = [&](const apps::BuildFilter& filter) {
        std::string text;
        for (const auto& build : store->builds().list(filter)) text += build.id + " ";
        return text;
    };
    CHECK(ids({}) == "b4 b3 b2 b1 ");
    CHECK(ids({.app = "shop"}) == "b4 b1 ");
    CHECK(ids({.apps = {"shop", "wiki"}}) == "b4 b3 b1 ");
    CHECK(ids({.app = "shop", .apps = {"wiki"}}) == "");
    CHECK(ids({.state = BuildState::queued}) == "b4 b3 b2 ");
    CHECK(ids({.limit = 2, .offset = 1}) == "b3 b2 ");
    CHECK(store->builds().count({.apps = {"shop", "wiki"}, .state = BuildState::queued}) == 2);
    std::int64_t running = 0;
    for (const auto& [state, count] : store->builds().count_by_state())
        if (state == BuildState::running) running = count;
    CHECK(running == 1);
}

TEST_CASE("an app's last image stays, however many of pull requests came after it") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    for (const char* id : {"b1", "b2", "b3", "b4"}) {
        Build build = queued("shop", id);
        build.state = BuildState::published;
        build.finished = id[1] - '0';
        if (id[1] > '2')
            build.ref = id[1] == '3' ? "refs/pull/7/head" : "refs/merge-requests/7/head";
        store->builds().add(build);
    }
    std::string ids;
    for (const auto& build : store->builds().list_expired(10, 0)) ids += build.id + " ";
    CHECK(ids == "b1 b3 b4 ");
    CHECK(store->builds().last_published("shop")->id == "b2");
}

TEST_CASE("who made an image is found with what it was made from, proposals only by themselves") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    const auto published = [&](const char* id, const char* app, const char* ref, const char* inputs,
                               const char* same_as) {
        Build build = queued(app, id);
        build.state = BuildState::published;
        build.finished = id[1] - '0';
        build.ref = ref;
        build.inputs = inputs;
        build.same_as = same_as;
        store->builds().add(build);
    };
    published("b1", "shop", "refs/heads/main", "k1", "");
    published("b2", "shop", "refs/heads/main", "k2", "");
    published("b3", "shop", "refs/heads/main", "k1", "b1");
    published("b4", "shop", "refs/heads/main", "", "");
    published("b5", "shop", "refs/pull/7/head", "k3", "");
    published("b6", "blog", "refs/heads/main", "k1", "");
    const auto makers = [&](const char* ref, std::int64_t since, int limit) {
        std::string text;
        for (const auto& build : store->builds().list_makers("shop", ref, since, limit))
            text += build.id + ":" + build.inputs + " ";
        return text;
    };
    CHECK(makers("refs/heads/main", 0, 9) == "b2:k2 b1:k1 ");
    CHECK(makers("", 0, 9) == "b2:k2 b1:k1 ");
    CHECK(makers("refs/pull/7/head", 0, 9) == "b5:k3 b2:k2 b1:k1 ");
    CHECK(makers("refs/pull/8/head", 0, 9) == "b2:k2 b1:k1 ");
    CHECK(makers("refs/heads/main", 1, 9) == "b2:k2 ");
    CHECK(makers("refs/heads/main", 0, 1) == "b2:k2 ");
}

TEST_CASE("old builds are listed for removal, but neither the newest nor the published one") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    for (const char* id : {"b1", "b2", "b3", "b4", "b5"}) {
        Build build = queued("shop", id);
        build.state = std::string(id) < "b4" ? BuildState::published : BuildState::refused;
        build.finished = 5;
        store->builds().add(build);
    }
    store->builds().add(queued("shop", "b0")); // old, and still waiting
    const auto expired = store->builds().list_expired(10, 1);
    std::string ids;
    for (const auto& build : expired) ids += build.id + " ";
    CHECK(ids == "b1 b2 b4 ");
    CHECK(store->builds().list_expired(5, 1).empty());
    CHECK(store->builds().list_expired(10, 4).size() == 1);
    store->builds().remove("b1");
    CHECK_FALSE(store->builds().find("b1"));
}

TEST_CASE("a build that nobody holds is closed, one that is held is asked to stop") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    Build first = add(*store, "shop", "b1");
    Build second = add(*store, "shop", "b2");
    const auto claim = store->builds().claim("w", 1min);
    first.state = second.state = BuildState::cancelled;
    second.reason = "ann asked";
    second.finished = 7;
    CHECK_FALSE(store->builds().close(first));
    CHECK(store->builds().close(second));
    CHECK_FALSE(store->builds().close(second));
    CHECK(store->builds().find("b2")->reason == "ann asked");
    CHECK_FALSE(store->builds().wants_cancel("b1"));
    CHECK(store->builds().request_cancel("b1", "ann asked"));
    CHECK(store->builds().request_cancel("b1", "bob asked"));
    CHECK(store->builds().wants_cancel("b1") == std::string("ann asked"));
    CHECK_FALSE(store->builds().request_cancel("b2", "late"));
    end(*store, *claim, BuildState::cancelled);
    CHECK_FALSE(store->builds().request_cancel("b1", "late"));
}
