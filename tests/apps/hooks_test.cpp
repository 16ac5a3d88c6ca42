// Webhooks in and notices out, on both databases.
#include "contract.h"

#include "apps/sealed_texts.h"
#include "base/guarded.h"
#include "base/task_group.h"

#include <atomic>
#include <set>

using namespace contract;

namespace {

apps::Hook hook(const std::string& id, const std::string& app) {
    return {.id = id,
            .app = app,
            .kind = "github",
            .repository = "ann/shop",
            .clone_url = "https://example.org/ann/shop.git",
            .api_url = "https://api.example.org",
            .branch = "main",
            .sealed_secret = "s1",
            .sealed_token = "s2",
            .sealed_ssh_key = "s3",
            .ssh_public_key = "ssh-ed25519 AAAA",
            .known_hosts = "example.org ssh-ed25519 BBBB",
            .options = "{}",
            .repository_id = "42",
            .head = std::string(40, 'a'),
            .created = 5'000'000'000,
            .checked = 6'000'000'000};
}

apps::Delivery delivery(const std::string& hook, const std::string& id) {
    return {.hook = hook,
            .delivery = id,
            .event = "push",
            .ref = "refs/heads/main",
            .commit = std::string(40, 'b'),
            .state = "accepted",
            .content = "{}",
            .body_sha256 = "x",
            .received = 5'000'000'000};
}

apps::Notice notice(const std::string& subject, std::int64_t due) {
    return {.kind = "status",
            .app = "shop",
            .target = "h1",
            .subject = subject,
            .payload = "{}",
            .created = 1,
            .due = due};
}

} // namespace

TEST_CASE("a webhook keeps every field, changes, and goes with its app and deliveries") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    CHECK(kind_of([&] { hooks.add(hook("h1", "shop")); }) == ErrorKind::not_found);
    store->add_app({"shop", 1});
    hooks.add(hook("h1", "shop"));
    auto found = hooks.find("h1");
    REQUIRE(found);
    CHECK(found->known_hosts == "example.org ssh-ed25519 BBBB");
    CHECK(found->head == std::string(40, 'a'));
    CHECK(found->sealed_ssh_key == "s3");
    CHECK(found->created == 5'000'000'000);
    CHECK(found->checked == 6'000'000'000);
    found->branch = "next";
    found->checked = 7'000'000'000;
    hooks.update(*found);
    CHECK(hooks.find("h1")->branch == "next");
    CHECK(hooks.find("h1")->checked == 7'000'000'000);
    CHECK(hooks.list("shop").size() == 1);
    CHECK(hooks.list("").size() == 1);
    CHECK(hooks.list("blog").empty());
    auto came = delivery("h1", "d1");
    CHECK(hooks.record(came));
    store->remove_app("shop");
    CHECK_FALSE(hooks.find("h1"));
    CHECK_FALSE(hooks.find_delivery("h1", "d1"));
    CHECK(kind_of([&] { hooks.remove("h1"); }) == ErrorKind::not_found);
    CHECK(kind_of([&] { hooks.update(*found); }) == ErrorKind::not_found);
    CHECK(kind_of([&] { hooks.record(came); }) == ErrorKind::not_found);
}

TEST_CASE("what was ignored is found by its commit, the newest first") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    store->add_app({"shop", 1});
    for (const char* id : {"h1", "h2"}) hooks.add(hook(id, "shop"));
    const auto record = [&](const char* of, const char* id, const char* state, char commit) {
        auto one = delivery(of, id);
        one.state = state;
        one.commit = std::string(40, commit);
        REQUIRE(hooks.record(one));
    };
    record("h1", "first", "ignored", 'b');
    record("h1", "built", "built", 'b');
    record("h1", "other", "ignored", 'c');
    record("h2", "theirs", "ignored", 'b');
    record("h1", "second", "ignored", 'b');
    const auto found = hooks.list_ignored("h1", std::string(40, 'b'), 10);
    REQUIRE(found.size() == 2);
    CHECK(found[0].delivery == "second");
    CHECK(found[1].delivery == "first");
    CHECK(hooks.list_ignored("h1", std::string(40, 'b'), 1).size() == 1);
}

TEST_CASE("open deliveries are told by webhook, the oldest first, with whose share they are") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    store->add_app({"shop", 1, "ann"});
    store->add_app({"blog", 1});
    hooks.add(hook("h1", "shop"));
    hooks.add(hook("h2", "blog"));
    CHECK(hooks.list_open_hooks().empty());
    auto first = delivery("h2", "d1"), second = delivery("h1", "d1"), third = delivery("h2", "d2");
    for (auto* one : {&first, &second, &third}) REQUIRE(hooks.record(*one));
    const auto open = hooks.list_open_hooks();
    REQUIRE(open.size() == 2);
    CHECK(open[0].hook == "h2");
    CHECK(open[0].share == "app/blog");
    CHECK(open[0].oldest == first.number);
    CHECK(open[0].count == 2);
    CHECK(open[1].share == "owner/ann");
    CHECK(open[1].count == 1);
}

TEST_CASE("a change of a webhook that was read before a rotation brings no old sealed text back") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    auto wanted = hook("h1", "shop");
    wanted.sealed_secret = wanted.sealed_token = wanted.sealed_ssh_key = "v1:old";
    store->hooks().add(wanted);
    auto read_before = *store->hooks().find("h1");
    apps::SealedTexts texts(store->database());
    for (const auto& text : texts.list()) CHECK(texts.replace(text, "v1:new"));
    read_before.branch = "next";
    store->hooks().update(read_before);
    const auto now = *store->hooks().find("h1");
    CHECK(now.branch == "next");
    CHECK(now.sealed_secret == "v1:new");
    CHECK(now.sealed_token == "v1:new");
    CHECK(now.sealed_ssh_key == "v1:new");
}

TEST_CASE("deliveries are settled together, and those that changed meanwhile stay as they are") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    store->add_app({"shop", 1});
    hooks.add(hook("h1", "shop"));
    std::vector<apps::Delivery> seen;
    for (const char* id : {"d1", "d2", "d3"}) {
        seen.push_back(delivery("h1", id));
        REQUIRE(hooks.record(seen.back()));
    }
    auto replayed = seen[0], failed = seen[1];
    replayed.replays = 1;
    hooks.update(replayed);
    failed.state = "failed";
    hooks.update(failed);
    for (auto& one : seen) {
        one.state = "built";
        one.build = "b1";
    }
    hooks.settle(seen);
    CHECK(hooks.find_delivery("h1", "d1")->state == "built");
    CHECK(hooks.find_delivery("h1", "d1")->replays == 1);
    CHECK(hooks.find_delivery("h1", "d2")->state == "failed");
    CHECK(hooks.find_delivery("h1", "d3")->build == "b1");
    CHECK(hooks.list_open("h1", 10).empty());
    hooks.settle({});
}

TEST_CASE("a delivery is recorded once for each webhook, in the order they came") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    store->add_app({"shop", 1});
    for (const char* id : {"h1", "h2"}) hooks.add(hook(id, "shop"));
    auto first = delivery("h1", "d1"), again = delivery("h1", "d1"), other = delivery("h2", "d1"),
         last = delivery("h1", "d2");
    again.event = "ping";
    REQUIRE(hooks.record(first));
    CHECK_FALSE(hooks.record(again));
    CHECK(again.number == 0);
    REQUIRE(hooks.record(other));
    REQUIRE(hooks.record(last));
    CHECK(first.number < other.number);
    CHECK(other.number < last.number);
    CHECK(hooks.find_delivery("h1", "d1")->event == "push");
    CHECK(hooks.find_delivery("h1", "d1")->number == first.number);
    CHECK(hooks.list_deliveries("h1", 10).front().delivery == "d2");
    CHECK(hooks.list_deliveries("h1", 1, 1).front().delivery == "d1");
    CHECK(hooks.list_open("h1", 2).back().number == last.number);
    CHECK(hooks.list_open("h2", 2).size() == 1);
    REQUIRE(hooks.list_open_hooks().size() == 2);

    first.state = "waiting";
    first.reason = "CI runs";
    first.replays = 2;
    hooks.update(first);
    last.state = "built";
    last.build = "b1";
    hooks.update(last);
    CHECK(hooks.list_open("h1", 10).empty());
    REQUIRE(hooks.list_waiting("h1", first.commit).size() == 1);
    CHECK(hooks.list_waiting("h1", first.commit)[0].replays == 2);
    CHECK(hooks.list_waiting("h2", first.commit).empty());
    CHECK(hooks.find_delivery("h1", "d2")->build == "b1");
    CHECK(hooks.remove_deliveries_before(5'000'000'000) == 0);
    CHECK(hooks.count_deliveries_before(5'000'000'001) == 2);
    CHECK(hooks.remove_deliveries_before(5'000'000'001) == 2); // not the one still to be done
    CHECK(hooks.find_delivery("h2", "d1"));
    auto newer = delivery("h1", "d3");
    REQUIRE(hooks.record(newer));
    CHECK(newer.number > last.number); // a number is never used again
}

TEST_CASE("a delivery is recorded by the webhook that it was decided by, and by no other") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& hooks = store->hooks();
    using Recorded = apps::Hooks::Recorded;
    store->add_app({"shop", 1});
    hooks.add(hook("h1", "shop"));
    const auto row = *hooks.find("h1");
    auto came = delivery("h1", "d1"), again = delivery("h1", "d1"), late = delivery("h1", "d2");
    CHECK(hooks.record(came, row) == Recorded::yes);
    CHECK(came.number > 0);
    CHECK(hooks.record(again, row) == Recorded::there_already);
    for (auto field : {&apps::Hook::kind, &apps::Hook::repository, &apps::Hook::repository_id,
                       &apps::Hook::branch, &apps::Hook::sealed_secret, &apps::Hook::options}) {
        auto other = row;
        other.*field += "x";
        CHECK(hooks.record(late, other) == Recorded::webhook_changed);
    }
    auto seen = row;
    seen.head = std::string(40, 'c'); // what was built last decides nothing
    hooks.update(seen);
    CHECK(hooks.record(late, row) == Recorded::yes);
    CHECK(hooks.count_deliveries("h1") == 2);
    hooks.remove("h1");
    CHECK(hooks.record(late, row) == Recorded::webhook_changed);
}

TEST_CASE("the same delivery from eight connections at once is recorded once") {
    CONTRACT_PLACE(place);
    const auto first = place.open(), second = place.open();
    first->add_app({"shop", 1});
    first->hooks().add(hook("h1", "shop"));
    base::Guarded<std::multiset<std::int64_t>> numbers;
    base::TaskGroup senders;
    for (int i = 0; i < 8; ++i)
        senders.start([&, i](const base::Stop&) {
            for (int k = 0; k < 20; ++k) {
                auto came = delivery("h1", "d" + std::to_string(k));
                if ((i % 2 ? first : second)->hooks().record(came))
                    numbers.lock()->insert(came.number);
            }
        });
    senders.join();
    CHECK(numbers.lock()->size() == 20);
    CHECK(first->hooks().list_open("h1", 100).size() == 20);
}

TEST_CASE("notices of one subject go out in order, others past them") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& notices = store->notices();
    store->add_app({"shop", 1});
    CHECK_FALSE(notices.next_due());
    notices.add(notice("b1", 100));
    notices.add(notice("b1", 50));
    notices.add(notice("b2", 70));
    CHECK(notices.next_due() == 70); // not 50: that one waits for the one before it
    CHECK(notices.list_due(69, 10).empty());
    const auto first = [&] {
        const auto due = notices.list_due(200, 10);
        REQUIRE(due.size() == 1); // of one target
        return due[0];
    };
    auto failed = first();
    CHECK(failed.subject == "b2");
    CHECK(failed.state == "open");
    failed.due = 500;
    failed.reason = "503";
    notices.update(failed);
    auto sent = first();
    CHECK(sent.due == 100);
    sent.state = "sent";
    sent.attempts = 1;
    notices.update(sent);
    CHECK(first().subject == "b1");
    CHECK(first().due == 50);
    CHECK(notices.list("h1", 10).size() == 3);
    CHECK(notices.list("h1", 10)[0].reason == "503");
    CHECK(notices.remove_before(2) == 1);
    store->remove_app("shop");
    CHECK(notices.list("h1", 10).empty());
}

TEST_CASE("a target with a hundred notices that are due hides no other one") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    for (int i = 0; i < 100; ++i) store->notices().add(notice("b" + std::to_string(i), i));
    auto other = notice("b1", 150);
    other.target = "n1";
    store->notices().add(other);
    const auto due = store->notices().list_due(200, 2);
    REQUIRE(due.size() == 2);
    CHECK(due[0].target == "h1");
    CHECK(due[0].subject == "b0");
    CHECK(due[1].target == "n1");
}

TEST_CASE("a subscription keeps its events, and takes its notices with it") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& notices = store->notices();
    store->add_app({"shop", 1});
    apps::Subscription made{"n1", "shop", "https://example.org/x", "sealed", {"build.queued", "b"},
                            5};
    notices.add(made);
    made.id = "n2";
    made.events.clear();
    notices.add(made);
    CHECK(notices.find_subscription("n1")->events == std::vector<std::string>{"build.queued", "b"});
    CHECK(notices.find_subscription("n2")->events.empty());
    CHECK(notices.list_subscriptions("shop").size() == 2);
    CHECK(notices.list_subscriptions("blog").empty());
    auto open = notice("b1", 1);
    open.target = "n1";
    notices.add(open);
    notices.remove_subscription("n1");
    CHECK(notices.list_due(100, 10).empty());
    CHECK(kind_of([&] { notices.remove_subscription("n1"); }) == ErrorKind::not_found);
}
