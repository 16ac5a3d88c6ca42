#include "notices.h"

#include "build_report.h"
#include "webhook_hook.h"

#include "fake_server.h"

#include "base/temp_dir.h"
#include "forges/event.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <set>

using apps::BuildState;
using base::json::Value;
using Request = FakeServer::Request;

namespace {

const std::string commit(40, 'c');

// A server's store, its keys and a sender whose thread runs until the end of the test.
struct Site {
    explicit Site(const std::string& api_url, std::vector<std::string> allowed = {"127.0.0.1"}) {
        store->add_app({"shop", 1});
        apps::Hook hook;
        hook.id = "hook1";
        hook.app = "shop";
        hook.kind = "github";
        hook.repository = "team/shop";
        hook.api_url = api_url;
        hook.sealed_token = keys.seal("t0ken", server::context_of_hook(hook.id));
        store->hooks().add(hook);
        settings.allowed_private_hosts = std::move(allowed);
        settings.first_retry = std::chrono::milliseconds(20);
        settings.gap = std::chrono::milliseconds(0);
        settings.most_attempts = 3;
    }
    void start() {
        sender = std::make_unique<server::NoticeSender>(*store, keys, settings);
        thread = std::make_unique<base::TaskGroup>();
        thread->start([this](const base::Stop& stop) { sender->run(stop); });
    }
    // Returns the secret that it is signed with.
    base::Secret subscribe(const std::string& id, const std::string& url,
                           std::vector<std::string> events = {}) {
        apps::Subscription wanted;
        wanted.id = id;
        wanted.app = "shop";
        wanted.url = url;
        wanted.events = std::move(events);
        auto secret = forges::make_event_secret();
        wanted.sealed_secret = keys.seal(secret.reveal(), "subscription/" + id);
        store->notices().add(wanted);
        return secret;
    }
    // As the table does with a state that it takes.
    void tell(const apps::Build& build) {
        const auto texts =
            server::NoticeTexts{"https://slipway.example", [](const apps::Build& row) {
                                    return Value{{"id", row.id}};
                                }};
        for (const auto& notice :
             server::notices_of(texts, build, store->hooks().find(build.hook),
                                store->notices().list_subscriptions(build.app)))
            store->notices().add(notice);
        if (sender) sender->wake();
    }
    apps::Build build(BuildState state) {
        apps::Build row;
        row.id = "b1";
        row.app = "shop";
        row.commit = commit;
        row.ref = "refs/heads/main";
        row.hook = "hook1";
        row.state = state;
        if (state == BuildState::published) row.digest = "sha256:" + std::string(64, 'd');
        if (state == BuildState::refused) row.reason = "npm failed";
        return row;
    }
    // Bounded: a sender that does nothing fails the test.
    std::vector<apps::Notice> settled(const std::string& target, std::size_t count) {
        const auto patience = base::Stop{}.within(std::chrono::seconds(20));
        for (;;) {
            auto notices = store->notices().list(target, 100);
            const auto open = std::count_if(notices.begin(), notices.end(),
                                            [](auto& notice) { return notice.state == "open"; });
            if ((notices.size() >= count && open == 0) ||
                patience.wait(std::chrono::milliseconds(5)))
                return notices;
        }
    }

    base::TempDir directory{"notices"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    base::KeyRing keys = base::KeyRing::open(directory.path() / "secrets.key");
    server::NoticeSettings settings;
    std::unique_ptr<server::NoticeSender> sender;
    std::unique_ptr<base::TaskGroup> thread;
};

std::string forge_answer(const Request& request) {
    if (request.target.ends_with("/deployments"))
        return FakeServer::answer(201, {}, R"({"id": 4711})");
    return FakeServer::answer(201, {}, R"({"id": 1})");
}

std::vector<Value> bodies(FakeServer& forge, const std::string& part) {
    std::vector<Value> found;
    for (const auto& request : forge.requests())
        if (request.target.find(part) != std::string::npos)
            found.push_back(Value::parse(request.body));
    return found;
}

} // namespace

TEST_CASE("a published build is told to the forge as a status and as one deployment") {
    FakeServer forge(forge_answer);
    Site site("http://" + forge.host());
    site.start();
    site.tell(site.build(BuildState::running));
    site.settled("hook1", 2);
    site.tell(site.build(BuildState::published));
    for (const auto& notice : site.settled("hook1", 4)) CHECK(notice.state == "sent");
    const auto statuses = bodies(forge, "/repos/team/shop/statuses/" + commit);
    REQUIRE(statuses.size() == 2);
    CHECK(statuses[0].at("state") == "pending");
    CHECK(statuses[1].at("state") == "success");
    CHECK(statuses[1].at("target_url") == "https://slipway.example/v1/builds/b1/log");
    CHECK(bodies(forge, "/deployments/4711/statuses").size() == 2);
    std::size_t made = 0;
    for (const auto& request : forge.requests()) made += request.target.ends_with("/deployments");
    CHECK(made == 1);
    CHECK(forge.requests().front().header("authorization") == "Bearer t0ken");
}

TEST_CASE("a proposal has a status and no deployment, which would end that of the app's branch") {
    FakeServer forge(forge_answer);
    Site site("http://" + forge.host());
    site.start();
    auto build = site.build(BuildState::published);
    build.ref = "refs/pull/7/head";
    site.tell(build);
    const auto told = site.settled("hook1", 1);
    REQUIRE(told.size() == 1);
    CHECK(told[0].kind == "status");
    CHECK(bodies(forge, "/deployments").empty());
}

TEST_CASE("a forge that fails is asked again, and given up after the last attempt") {
    std::atomic<int> asked = 0;
    FakeServer forge([&](const Request&) {
        return FakeServer::answer(++asked <= 2 ? 503 : 201, {}, R"({"id": 1})");
    });
    Site site("http://" + forge.host());
    auto hook = *site.store->hooks().find("hook1");
    hook.options = R"({"deployments": false})";
    site.store->hooks().update(hook);
    site.start();
    site.tell(site.build(BuildState::refused));
    const auto sent = site.settled("hook1", 1);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].state == "sent");
    CHECK(sent[0].attempts == 3);

    FakeServer down([](const Request&) { return FakeServer::answer(500); });
    Site other("http://" + down.host());
    other.store->hooks().update([&] {
        auto same = *other.store->hooks().find("hook1");
        same.options = R"({"deployments": false})";
        return same;
    }());
    other.start();
    other.tell(other.build(BuildState::refused));
    const auto failed = other.settled("hook1", 1);
    REQUIRE(failed.size() == 1);
    CHECK(failed[0].state == "failed");
    CHECK(down.requests().size() == 3);
}

TEST_CASE("a refused token ends it at once, with a reason") {
    FakeServer forge([](const Request&) { return FakeServer::answer(401); });
    Site site("http://" + forge.host());
    site.start();
    site.tell(site.build(BuildState::running));
    for (const auto& notice : site.settled("hook1", 2)) {
        CHECK(notice.state == "failed");
        CHECK(notice.attempts == 1);
        CHECK(notice.reason.find("token") != std::string::npos);
    }
}

TEST_CASE("states that a newer one overtook are not told to a forge") {
    FakeServer forge(forge_answer);
    Site site("http://" + forge.host());
    // Written while nobody sends, as after a crash.
    for (const auto state : {BuildState::queued, BuildState::running, BuildState::published})
        site.tell(site.build(state));
    site.start();
    for (const auto& notice : site.settled("hook1", 6)) CHECK(notice.state == "sent");
    const auto statuses = bodies(forge, "/repos/team/shop/statuses/");
    REQUIRE(statuses.size() == 1);
    CHECK(statuses[0].at("state") == "success");
    CHECK(bodies(forge, "/deployments/4711/statuses").size() == 1);
}

TEST_CASE("a subscriber gets the events that it asked for, signed, in order") {
    FakeServer listener([](const Request&) { return FakeServer::answer(204); });
    Site site("");
    const auto url = listener.url("/in");
    const auto secret = site.subscribe("n1", url, {"build.running", "build.published"});
    site.start();
    for (const auto state : {BuildState::queued, BuildState::running, BuildState::published})
        site.tell(site.build(state));
    site.settled("n1", 2);
    const auto requests = listener.requests();
    REQUIRE(requests.size() == 2);
    CHECK(Value::parse(requests[0].body).at("type") == "build.running");
    CHECK(Value::parse(requests[1].body).at("type") == "build.published");
    CHECK(Value::parse(requests[1].body).at("data").at("build").at("id") == "b1");
    const auto& last = requests[1];
    const auto expected =
        forges::render_event(url, secret, last.header("webhook-id"),
                             std::stoll(last.header("webhook-timestamp")), last.body);
    CHECK(std::find(expected.headers.begin(), expected.headers.end(),
                    "webhook-signature: " + last.header("webhook-signature")) !=
          expected.headers.end());
    CHECK(requests[0].header("webhook-id") != last.header("webhook-id"));
}

TEST_CASE(
    "subscribers that do not answer keep nobody else waiting, however much they are to hear") {
    std::atomic<int> asked = 0, asked_before = -1;
    FakeServer dead([&](const Request&) {
        ++asked;
        return FakeServer::answer(500);
    });
    FakeServer listener([&](const Request&) {
        asked_before = asked.load();
        return FakeServer::answer(204);
    });
    Site site("");
    site.settings.first_retry = std::chrono::hours(1);
    // More of them than are talked to at once, each with more to hear than is looked at.
    const auto deads = {"n1", "n2", "n3", "n4", "n5"};
    for (const auto* id : deads) site.subscribe(id, dead.url("/in"));
    auto build = site.build(BuildState::queued);
    for (int i = 0; i < 20; ++i) {
        build.id = "b" + std::to_string(i);
        site.tell(build);
    }
    site.subscribe("n9", listener.url("/in"), {"build.published"});
    site.tell(site.build(BuildState::published));
    site.start();
    REQUIRE(site.settled("n9", 1).size() == 1);
    CHECK(asked_before >= 0);
    CHECK(asked_before < 30); // of a hundred
}

TEST_CASE("a private address is not called unless the operator allowed its host") {
    FakeServer inner([](const Request&) { return FakeServer::answer(204); });
    Site site("https://" + inner.host(), {});
    site.subscribe("n1", inner.url("/in"));
    site.start();
    site.tell(site.build(BuildState::running));
    for (const auto& notice : site.settled("hook1", 2)) CHECK(notice.state == "failed");
    for (const auto& notice : site.settled("n1", 1)) CHECK(notice.state == "failed");
    CHECK(inner.connections() == 0);
}

TEST_CASE("a token is not sent in clear to a host that the operator does not answer for") {
    Site site("http://forge.example", {});
    site.start();
    site.tell(site.build(BuildState::running));
    for (const auto& notice : site.settled("hook1", 2)) {
        CHECK(notice.state == "failed");
        CHECK(notice.reason.find("in clear") != std::string::npos);
    }
}

TEST_CASE("a webhook without a token, or of no forge, tells nobody") {
    Site site("https://api.example.com");
    auto hook = *site.store->hooks().find("hook1");
    hook.sealed_token.clear();
    site.store->hooks().remove(hook.id); // a change leaves what is sealed alone
    site.store->hooks().add(hook);
    site.start();
    site.tell(site.build(BuildState::running));
    CHECK(site.store->notices().list("hook1", 10).empty());
    const auto build = site.build(BuildState::running);
    CHECK(server::forge_notices({.kind = "generic"}, build).empty());
    CHECK(server::forge_notices({.kind = "gitlab"}, build) == std::vector<std::string>{"status"});
}
