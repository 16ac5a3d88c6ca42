// Finished images that wait for their registry. On both databases.
#include "contract.h"

using namespace contract;
using namespace std::chrono_literals;

namespace {

const apps::RecoverSettings settings{3, "its source is gone", "it took its worker down"};

// A build of `app` that `worker` has parked, due after `pause`.
void park(apps::Store& store, const std::string& worker, const Build& build,
          std::chrono::milliseconds pause = 0ms) {
    store.builds().add(build);
    auto claim = store.builds().claim(worker, 1min);
    REQUIRE(claim);
    REQUIRE(claim->build.id == build.id);
    claim->build.state = BuildState::exporting;
    claim->build.reason = "the registry is down";
    store.builds().park(claim->build, claim->fence, pause);
}

} // namespace

TEST_CASE("a parked build stays exporting, says why, and is claimed again when its time comes") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    park(*store, "here", queued("shop", "b1"));
    const auto parked = store->builds().find("b1");
    CHECK(parked->state == BuildState::exporting);
    CHECK(parked->reason == "the registry is down");
    CHECK(parked->kept);
    CHECK(parked->tries_again > 0);
    CHECK_FALSE(store->builds().claim("here", 1min));
    CHECK_FALSE(store->builds().claim_parked("elsewhere", 1min)); // it lies here
    const auto again = store->builds().claim_parked("here", 1min);
    REQUIRE(again);
    CHECK(again->build.id == "b1");
    CHECK(again->build.kept);
    CHECK(again->build.tries_again == 0);
    CHECK(again->build.attempt == 1);
    CHECK_FALSE(store->builds().claim_parked("here", 1min));
    auto row = again->build;
    row.state = BuildState::published;
    store->builds().finish(row, again->fence);
    CHECK(store->builds().find("b1")->state == BuildState::published);
}

TEST_CASE("a parked build is not claimed before its time, and nobody holds it meanwhile") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->builds().add(queued("shop", "b1"));
    const auto claim = *store->builds().claim("here", 1min);
    store->builds().park(claim.build, claim.fence, 1h);
    CHECK_FALSE(store->builds().claim_parked("here", 1min));
    CHECK_FALSE(store->builds().renew("b1", claim.fence, 1min));
    CHECK(kind_of([&] { store->builds().note(claim.build, claim.fence); }) == ErrorKind::denied);
    CHECK(kind_of([&] { store->builds().finish(claim.build, claim.fence); }) == ErrorKind::denied);
    CHECK(kind_of([&] { store->builds().park(claim.build, claim.fence, 1h); }) ==
          ErrorKind::denied);
    CHECK(store->builds().recover(settings, "here").empty());
}

TEST_CASE("an app goes on building while an image of it waits, but sends and builds in turn") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    park(*store, "here", queued("shop", "b1"));
    store->builds().add(queued("shop", "b2"));
    CHECK(store->builds().place("b2").ahead == 0);
    const auto newer = store->builds().claim("here", 1min);
    REQUIRE(newer);
    CHECK(newer->build.id == "b2");
    CHECK_FALSE(store->builds().claim_parked("here", 1min));
    end(*store, *newer, BuildState::refused);
    store->builds().add(queued("shop", "b3"));
    CHECK(store->builds().claim_parked("here", 1min));
    CHECK_FALSE(store->builds().claim("here", 1min));
}

TEST_CASE("a server that dies while it sends an image sends it again, and builds nothing") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    park(*store, "here", queued("shop", "b1")); // its source is gone: it could not be built
    REQUIRE(store->builds().claim_parked("here", 1min));
    const auto changed = store->builds().recover(settings, "here");
    REQUIRE(changed.size() == 1);
    CHECK(changed[0].state == BuildState::exporting);
    CHECK(changed[0].tries_again > 0);
    const auto again = store->builds().claim_parked("here", 1min);
    REQUIRE(again);
    CHECK(again->build.attempt == 1);
}

TEST_CASE("a finished image whose row could not be parked is parked when its lease is taken back") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    store->builds().add(queued("shop", "b1")); // their sources are gone
    store->builds().add(queued("blog", "b2"));
    REQUIRE(store->builds().claim("here", 1min));
    REQUIRE(store->builds().claim("here", 1min));
    auto with_images = settings;
    with_images.has_image = [](std::string_view id) { return id == "b1"; };
    CHECK(store->builds().recover(with_images, "here").size() == 2);
    CHECK(store->builds().find("b2")->state == BuildState::lost);
    const auto parked = store->builds().find("b1");
    CHECK(parked->state == BuildState::exporting);
    CHECK(parked->kept);
    const auto again = store->builds().claim_parked("here", 1min);
    REQUIRE(again);
    CHECK(again->build.id == "b1");
}

TEST_CASE("a retry of an older source neither ends nor overtakes the image of a newer one") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    park(*store, "here", queued("shop", "b1"));
    store->builds().add(queued("shop", "b2"));
    end(*store, *store->builds().claim("here", 1min));
    park(*store, "here", queued("shop", "b3"));
    auto retry = queued("shop", "b4");
    retry.retry_of = "b2";
    store->builds().add(retry);
    end(*store, *store->builds().claim("here", 1min));
    CHECK(store->builds().find("b4")->retry_of == "b2");
    CHECK(store->builds().supersede(apps::Older::parked, retry, "newer") ==
          std::vector<std::string>{"b1"}); // which is older than the source, too
    const auto sent = store->builds().claim_parked("here", 1min);
    REQUIRE(sent);
    CHECK(sent->build.id == "b3");
}

TEST_CASE("the image of a retry that waits is sent, though newer sources were published before") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    for (const char* id : {"b1", "b2"}) {
        store->builds().add(queued("shop", id));
        end(*store, *store->builds().claim("here", 1min));
    }
    auto retry = queued("shop", "b3");
    retry.retry_of = "b1";
    park(*store, "here", retry);
    const auto sent = store->builds().claim_parked("here", 1min);
    REQUIRE(sent);
    CHECK(sent->build.id == "b3");
}

TEST_CASE("a newer image makes older ones that wait superfluous where it takes their tag") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    const auto build = [](const char* id, const char* ref) {
        auto made = queued("shop", id);
        made.ref = ref;
        return made;
    };
    park(*store, "here", build("b1", "refs/heads/main"));
    park(*store, "here", build("b2", "refs/heads/master"));
    park(*store, "here", build("b3", "refs/pull/7/head"));
    park(*store, "here", build("b5", "refs/heads/main"));
    store->builds().add(build("b4", "refs/heads/main"));
    using Ids = std::vector<std::string>;
    CHECK(store->builds().supersede(apps::Older::parked, build("b4", "refs/heads/main"), "newer") ==
          Ids{"b1", "b2"});
    const auto older = store->builds().find("b1");
    CHECK(older->state == BuildState::superseded);
    CHECK(older->reason == "newer");
    CHECK(older->finished > 0);
    store->builds().add(build("b6", "refs/pull/8/head"));
    CHECK(store->builds()
              .supersede(apps::Older::parked, build("b6", "refs/pull/8/head"), "newer")
              .empty());
    store->builds().add(build("b7", "refs/pull/7/head"));
    CHECK(store->builds().supersede(apps::Older::parked, build("b7", "refs/pull/7/head"),
                                    "newer") == Ids{"b3"});
    CHECK(store->builds().find("b5")->state == BuildState::exporting);
}

TEST_CASE("an image that waits is not sent over a newer one, whoever forgot to say so") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    park(*store, "here", queued("shop", "b1"));
    store->builds().add(queued("shop", "b2"));
    end(*store, *store->builds().claim("here", 1min)); // and its server dies
    CHECK_FALSE(store->builds().claim_parked("here", 1min));
    CHECK(store->builds().find("b1")->state == BuildState::superseded);
    CHECK(store->builds().last_published("shop")->id == "b2");
}

TEST_CASE("a parked build is cancelled by closing it, one that is being sent is not") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    park(*store, "here", queued("shop", "b1"));
    auto row = *store->builds().find("b1");
    row.state = BuildState::cancelled;
    CHECK(store->builds().close(row));
    CHECK_FALSE(store->builds().claim_parked("here", 1min));
    park(*store, "here", queued("blog", "b2"));
    REQUIRE(store->builds().claim_parked("here", 1min));
    row = *store->builds().find("b2");
    row.state = BuildState::cancelled;
    CHECK_FALSE(store->builds().close(row));
}
