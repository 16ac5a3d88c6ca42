// From the ledger to builds: what is open is built by whom it belongs to, in turns.
#include "webhook_site.h"

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
