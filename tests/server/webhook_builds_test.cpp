// From the ledger to builds: what is open is built by whom it belongs to, in turns.
#include "webhook_site.h"

#include "errors.h"

using namespace webhook_site;

TEST_CASE("what the server's last life acknowledged is built by the next one") {
    Place place;
    auto hook = place.add();
    place.fill(true);
    place.deliver(hook, push(), "d1");
    place.end();
    CHECK(place.hooks().find_delivery(hook.id, "d1")->state == "accepted");
    place.fill(false);
    place.start();
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK(place.builds().size() == 1);
}

TEST_CASE("a replay builds a commit that never got an image, another delivery of it does not") {
    Place place;
    const auto hook = place.add();
    place.deliver(hook, push(), "d1");
    const auto first = place.settled(hook, "d1").build;
    place.end_without_image();
    place.deliver(hook, push(), "d2");
    CHECK(place.settled(hook, "d2").build == first);
    place.webhooks().replay(hook, "d1");
    REQUIRE(place.wait_for_builds(2).size() == 2);
    CHECK(place.settled(hook, "d1").build != first);
}

TEST_CASE("the build of a fork's proposal says so in its row") {
    Place place;
    const auto hook = place.add(R"({"pull_requests": true, "forks": true})");
    place.deliver(hook, pull_request(7, 99), "fork", "pull_request");
    CHECK(place.settled(hook, "fork").state == "built");
    place.deliver(hook, pull_request(8, 7), "own", "pull_request");
    CHECK(place.settled(hook, "own").state == "built");
    const auto builds = place.builds();
    REQUIRE(builds.size() == 2);
    CHECK(builds[0].ref == "refs/pull/7/head");
    CHECK(builds[0].options.of_stranger);
    CHECK_FALSE(builds[1].options.of_stranger);
}

TEST_CASE("the deliveries of an app whose queue is full hide nobody else's") {
    Place place;
    const auto greedy = place.add({}, "github", "blog");
    place.fill_of("blog");
    for (int i = 0; i < 1100; ++i) place.record(greedy, i);
    place.webhooks().look();
    const auto hook = place.add();
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::accepted);
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK(place.hooks().list_open_hooks().at(0).count == 1100); // all of them wait
    place.fill_of("");
    place.webhooks().look();
    CHECK(place.settled(greedy, "open-1099").state == "built");
    CHECK(place.builds().size() == 1101);
}

TEST_CASE("places that become free in a full queue go round between apps") {
    Place place;
    const auto older = place.add({}, "github", "blog");
    const auto newer = place.add();
    place.make_room(0);
    for (int i = 0; i < 3; ++i) place.record(older, i);
    for (int i = 0; i < 3; ++i) place.record(newer, i);
    for (int i = 0; i < 3; ++i) {
        place.make_room(1);
        place.wait_for_refusals(2); // the round has come to both
    }
    const auto builds = place.builds();
    REQUIRE(builds.size() == 3);
    CHECK(builds[0].app != builds[1].app);
    CHECK(builds[1].app != builds[2].app);
}

TEST_CASE("a webhook that is sent more than can be looked at keeps nobody else's deliveries out") {
    Place place;
    place.most_open = 3;
    const auto added = place.add({}, "github", "blog"), other = place.add();
    for (const auto& hook : {added, other}) place.change_secret(hook, "shared word");
    place.sign_with("shared word");
    const auto greedy = place.reread(added), hook = place.reread(other);
    place.fill(true);
    for (int i = 0; i < 3; ++i)
        CHECK(place
                  .deliver(greedy, push(std::string(39, 'c') + std::to_string(i)),
                           "d" + std::to_string(i))
                  .fate == Fate::accepted);
    place.wait_for_refusals(1); // counted by the builder's thread, too
    const auto error =
        error_of([&] { place.deliver(greedy, push(std::string(40, 'd')), "one too many"); });
    CHECK(error.kind() == base::ErrorKind::limit_exceeded);
    CHECK_FALSE(error.hint().empty());
    CHECK_FALSE(place.hooks().find_delivery(greedy.id, "one too many"));
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::accepted);
    place.fill(false);
    place.webhooks().look();
    CHECK(place.settled(greedy, "d2").state == "built");
    CHECK(place.settled(hook, "d1").state == "built");
    const auto limit = base::Stop().within(std::chrono::seconds(20));
    const auto is_taken = [&] { // once the builder's thread has counted again
        try {
            return place.deliver(greedy, push(std::string(40, 'd')), "again").fate ==
                   Fate::accepted;
        } catch (const base::Error& full) {
            CHECK(full.kind() == base::ErrorKind::limit_exceeded);
            return false;
        }
    };
    bool taken = is_taken();
    while (!taken && !limit.wait(std::chrono::milliseconds(5))) taken = is_taken();
    CHECK(taken);
}
