#include "api_site.h"

#include "base/crypto.h"
#include "base/fd.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

json app_named(const std::string& name) {
    return {{"app", {{"name", name}}}};
}

struct OnceSite : ApiSite {
    Reply post(const json& body, const std::string& key, const std::string& by = {}) {
        return ask("POST", "/v1/apps", by.empty() ? root : by, body, {"Idempotency-Key: " + key});
    }
    std::string root = add_token("root", {"server"});
};

} // namespace

TEST_CASE("the same request with the same key makes one thing and has one answer") {
    OnceSite site;
    const auto first = site.post(app_named("shop"), "k1");
    REQUIRE(first.status == 201);
    CHECK(first.header("idempotent-replayed").empty());
    const auto again = site.post(app_named("shop"), "k1");
    CHECK(again.status == 201);
    CHECK(again.header("idempotent-replayed") == "true");
    CHECK(again.text == first.text);
    CHECK(again.header("location") == first.header("location"));
    CHECK(again.header("x-request-id") != first.header("x-request-id"));
}

TEST_CASE("another body under the same key is refused") {
    OnceSite site;
    CHECK(site.post(app_named("shop"), "k1").status == 201);
    const auto other = site.post(app_named("blog"), "k1");
    CHECK(other.status == 409);
    CHECK_THAT(other.text, Contains("used for another request"));
    CHECK_FALSE(site.store->find_app("blog"));
}

TEST_CASE("a key is its caller's own") {
    OnceSite site;
    const auto other = site.add_token("other", {"server"});
    CHECK(site.post(app_named("shop"), "k1").status == 201);
    CHECK(site.post(app_named("blog"), "k1", other).status == 201);
}

TEST_CASE("while the first is being answered the second hears so") {
    OnceSite site;
    const auto owner = site.store->tokens().list().at(0).id;
    // As a request that is under way has it in the table.
    site.post(app_named("shop"), "k0");
    const auto body = app_named("blog").dump();
    const auto hash = base::sha256_hex("POST\n/v1/apps\n" + base::sha256_hex(body));
    CHECK_FALSE(site.store->idempotency().begin(owner, "k1", hash, apps::now_milliseconds()));
    const auto reply = site.post(app_named("blog"), "k1");
    CHECK(reply.status == 409);
    CHECK_THAT(reply.text, Contains("still being answered"));
    CHECK_FALSE(site.store->find_app("blog"));
}

TEST_CASE("a request whose answer was cut off after its build was started is told of that build") {
    OnceSite site;
    site.store->add_app({"shop", 1});
    const auto owner = site.store->tokens().list().at(0).id;
    struct Route {
        std::string path;
        json body;
    };
    const std::vector<Route> routes{
        {"/v1/apps/shop/builds", {{"build", {{"source_url", "https://example.com/a.tgz"}}}}},
        {"/v1/apps/shop/deployments",
         {{"deployment", {{"source_url", "https://example.com/a.tgz"}}}}},
        {"/apps/shop/builds", {{"source_blob", {{"url", "https://example.com/a.tgz"}}}}}};
    for (const auto& route : routes) {
        CAPTURE(route.path);
        // As a server that was killed before it kept its answer has it in the table.
        const auto key = "key of " + route.path;
        const auto hash =
            base::sha256_hex("POST\n" + route.path + "\n" + base::sha256_hex(route.body.dump()));
        CHECK_FALSE(site.store->idempotency().begin(owner, key, hash, apps::now_milliseconds()));
        apps::Build build;
        build.id = apps::new_build_id();
        build.app = "shop";
        build.state = apps::BuildState::received;
        site.store->builds().add_once(build, "", 0, 0, apps::RequestKey{owner, key});
        const auto before = site.store->builds().count({});
        const auto ask = [&] {
            return site.ask("POST", route.path, site.root, route.body,
                            {"Content-Type: application/json", "Idempotency-Key: " + key});
        };
        const auto reply = ask();
        CHECK(reply.status == 201);
        CHECK(reply.header("idempotent-replayed") == "true");
        CHECK_THAT(reply.text, Contains(build.id));
        CHECK(site.store->builds().count({}) == before);
        site.store->builds().remove(build.id);
        CHECK(ask().status == 409); // it was there, and is never built again by this key
    }
}

TEST_CASE("the build that a request starts is noted with its key") {
    OnceSite site;
    site.store->add_app({"shop", 1});
    const auto owner = site.store->tokens().list().at(0).id;
    const json body{{"build", {{"source_url", "https://example.com/a.tgz"}}}};
    const auto reply = site.ask("POST", "/v1/apps/shop/builds", site.root, body,
                                {"Content-Type: application/json", "Idempotency-Key: k"});
    REQUIRE(reply.status == 201);
    const auto known = site.store->idempotency().begin(owner, "k", "", 1);
    REQUIRE(known);
    CHECK(known->build == reply.json["build"]["id"]);
}

TEST_CASE("a kept answer that shows a token is sealed, and lost with its key") {
    OnceSite site;
    const json wanted{{"token", {{"name", "ci"}, {"scopes", {"server"}}}}};
    const auto ask = [&] {
        return site.ask("POST", "/v1/tokens", site.root, wanted, {"Idempotency-Key: k1"});
    };
    const auto first = ask();
    REQUIRE(first.status == 201);
    const auto text = first.json["token"]["token"].get<std::string>();
    CHECK(ask().text == first.text);
    for (const auto& entry : std::filesystem::directory_iterator(site.state.root()))
        if (entry.path().filename().string().starts_with("slipway.db"))
            CHECK_THAT(base::read_file(entry.path()), !Contains(text));
    site.keys.rotate();
    site.keys.forget_old();
    CHECK(ask().status == 409);
}

TEST_CASE("a request that failed may be sent again under its key") {
    OnceSite site;
    CHECK(site.post(app_named("Not A Name"), "k1").status == 422);
    CHECK(site.post(app_named("shop"), "k1").status == 201);
}

TEST_CASE("a key that is no text of a line is refused") {
    OnceSite site;
    CHECK(site.post(app_named("shop"), std::string(256, 'k')).status == 400);
    CHECK_FALSE(site.store->find_app("shop"));
}
