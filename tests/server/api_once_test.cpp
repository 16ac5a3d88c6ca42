#include "api_site.h"

#include "base/crypto.h"

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
