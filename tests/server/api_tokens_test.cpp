#include "api_site.h"

#include "base/crypto.h"
#include "base/fd.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

TEST_CASE("a token is shown once and only its hash is kept") {
    ApiSite site;
    const auto root = site.add_token("root", {"server"});
    const auto made =
        site.ask("POST", "/v1/tokens", root, {{"token", {{"name", "ci"}, {"scopes", {"server"}}}}});
    REQUIRE(made.status == 201);
    const auto text = made.json["token"]["token"].get<std::string>();
    CHECK(text.size() == 44);
    CHECK(text.starts_with("slw_"));
    CHECK(made.json["token"]["prefix"] == text.substr(0, 8));
    CHECK(made.json["token"]["created_by"] == "root");
    const auto list = site.ask("GET", "/v1/tokens", root);
    CHECK_THAT(list.text, !Contains(text) && !Contains(base::sha256_hex(text)));
    CHECK(site.ask("GET", "/v1/users/self", text).json["user"]["username"] == "ci");
    for (const auto& entry : std::filesystem::directory_iterator(site.state.root()))
        if (entry.path().filename().string().starts_with("slipway.db"))
            CHECK_THAT(base::read_file(entry.path()), !Contains(text));
}

TEST_CASE("a removed token and an expired one are refused") {
    ApiSite site;
    const auto root = site.add_token("root", {"server"});
    const auto old = site.add_token("old", {"server"}, 1000);
    const auto reply = site.ask("GET", "/v1/apps", old);
    CHECK(reply.status == 401);
    CHECK_THAT(reply.text, Contains("has expired"));
    const auto other = site.add_token("other", {"server"});
    CHECK(site.ask("DELETE", "/v1/tokens/other", root).status == 204);
    CHECK(site.ask("GET", "/v1/apps", other).status == 401);
    CHECK(site.ask("DELETE", "/v1/tokens/other", root).status == 404);
}

TEST_CASE("a wrong token has one answer, whatever is wrong with it") {
    ApiSite site;
    const auto right = site.add_token("root", {"server"});
    auto near = right;
    near.back() = near.back() == 'a' ? 'b' : 'a';
    for (const auto& wrong : {near, right + "x", right.substr(0, 43), std::string("slw_"),
                              std::string("nonsense"), base::sha256_hex(right)}) {
        const auto reply = site.ask("GET", "/v1/apps", wrong);
        CHECK(reply.status == 401);
        CHECK(reply.json["error"]["message"] == "there is no such token");
    }
}

TEST_CASE("basic authentication takes the token as its password") {
    ApiSite site;
    const auto token = site.add_token("root", {"server"});
    const auto ask = [&](const std::string& credentials) {
        return site.ask("GET", "/v1/apps", "", nullptr, {"Authorization: " + credentials}).status;
    };
    CHECK(ask("Basic " + base::base64_encode(":" + token)) == 200);
    CHECK(ask("basic " + base::base64_encode("anybody:" + token)) == 200);
    CHECK(ask("bEaReR " + token) == 200);
    CHECK(ask("Basic " + base::base64_encode(token)) == 401);
    CHECK(ask("Basic ***") == 401);
    CHECK(ask("Digest " + token) == 401);
    CHECK(ask(token) == 401);
}

TEST_CASE("a use is noted to the minute") {
    ApiSite site;
    const auto token = site.add_token("root", {"server"});
    site.ask("GET", "/v1/apps", token);
    const auto used = site.store->tokens().find_by_hash(base::sha256_hex(token))->used;
    CHECK(used > 0);
    CHECK(used % 60'000 == 0);
}

TEST_CASE("what a token may be is checked field by field") {
    ApiSite site;
    site.store->add_app({"shop", 1});
    const auto root = site.add_token("root", {"server"});
    const auto refused = [&](const json& wanted) {
        const auto reply = site.ask("POST", "/v1/tokens", root, {{"token", wanted}});
        CHECK(reply.status == 422);
        return reply.json["error"]["field"].get<std::string>();
    };
    CHECK(refused({{"scopes", {"server"}}}) == "name");
    CHECK(refused({{"name", ""}, {"scopes", {"server"}}}) == "name");
    CHECK(refused({{"name", "a/b"}, {"scopes", {"server"}}}) == "name");
    CHECK(refused({{"name", "t"}}) == "scopes");
    CHECK(refused({{"name", "t"}, {"scopes", json::array()}}) == "scopes");
    CHECK(refused({{"name", "t"}, {"scopes", "server"}}) == "scopes");
    CHECK(refused({{"name", "t"}, {"scopes", {"app:none:read"}}}) == "scopes");
    CHECK(refused({{"name", "t"}, {"scopes", {"app:shop:own"}}}) == "scopes");
    for (const json wrong : {json(0), json(-5), json("1d"), json(1e18)})
        CHECK(refused({{"name", "t"}, {"scopes", {"server"}}, {"expires_in", wrong}}) ==
              "expires_in");
    CHECK(site.ask("POST", "/v1/tokens", root,
                   {{"token", {{"name", "root"}, {"scopes", {"server"}}}}})
              .status == 409);
    CHECK(site.ask("POST", "/v1/tokens", root, json::array()).status == 400);
    CHECK(site.ask("POST", "/v1/tokens", root, {{"tokens", 1}}).status == 422);
}

TEST_CASE("a token that asks too often is told when to come again") {
    ApiSite site([](server::Config& config) { config.http.max_requests = 3; });
    const auto token = site.add_token("busy", {"server"});
    const auto other = site.add_token("other", {"server"});
    const auto first = site.ask("GET", "/v1/apps", token);
    CHECK(first.header("ratelimit-limit") == "3");
    CHECK(first.header("ratelimit-remaining") == "2");
    ApiSite::Reply reply;
    for (int i = 0; i < 4 && reply.status != 429; ++i) reply = site.ask("GET", "/v1/apps", token);
    CHECK(reply.status == 429);
    CHECK(reply.code() == "limit_exceeded");
    CHECK(std::stoi(reply.header("retry-after")) >= 1);
    CHECK(reply.header("ratelimit-remaining") == "0");
    CHECK(site.ask("GET", "/v1/apps", other).status == 200);
}

TEST_CASE("an address that guesses tokens is made to wait") {
    ApiSite site([](server::Config& config) { config.http.max_failed_logins = 5; });
    const auto token = site.add_token("root", {"server"});
    for (int i = 0; i < 5; ++i)
        CHECK(site.ask("GET", "/v1/apps", server::api::make_token_text()).status == 401);
    const auto reply = site.ask("GET", "/v1/apps", server::api::make_token_text());
    CHECK(reply.status == 429);
    CHECK_FALSE(reply.header("retry-after").empty());
    CHECK(site.ask("GET", "/livez", token).status == 200);
    // Others behind the same address have done nothing wrong.
    CHECK(site.ask("GET", "/v1/apps", token).status == 200);
    CHECK(site.ask("GET", "/v1/apps", server::api::make_token_text()).status == 429);
}

TEST_CASE("behind a trusted proxy the one who guesses is made to wait, not everybody") {
    ApiSite site([](server::Config& config) {
        config.http.max_failed_logins = 5;
        config.http.trusted_proxies = {"127.0.0.0/8"};
    });
    const auto guess_from = [&](const std::string& header) {
        return site.ask("GET", "/v1/apps", server::api::make_token_text(), nullptr, {header})
            .status;
    };
    for (int i = 0; i < 5; ++i) CHECK(guess_from("X-Forwarded-For: 203.0.113.7") == 401);
    CHECK(guess_from("X-Forwarded-For: 203.0.113.7") == 429);
    // What it says of itself to the proxy does not help.
    CHECK(guess_from("X-Forwarded-For: 198.51.100.1, 203.0.113.7") == 429);
    CHECK(guess_from("X-Forwarded-For: 203.0.113.8") == 401);
    CHECK(guess_from("Forwarded: for=203.0.113.7") == 401); // not the proxy's header
}

TEST_CASE("a header that names an address is nothing from one who is no trusted proxy") {
    ApiSite site([](server::Config& config) { config.http.max_failed_logins = 2; });
    for (int i = 0; i < 2; ++i)
        CHECK(site.ask("GET", "/v1/apps", server::api::make_token_text(), nullptr,
                       {"X-Forwarded-For: 203.0.113." + std::to_string(i)})
                  .status == 401);
    CHECK(site.ask("GET", "/v1/apps", server::api::make_token_text(), nullptr,
                   {"X-Forwarded-For: 203.0.113.9"})
              .status == 429);
}

TEST_CASE("every answer has its request's id and is not for a cache") {
    ApiSite site;
    for (const char* path : {"/livez", "/v1/apps", "/nothing"}) {
        const auto reply = site.ask("GET", path, "");
        CHECK_FALSE(reply.header("x-request-id").empty());
        CHECK(reply.header("x-content-type-options") == "nosniff");
        CHECK(reply.header("cache-control") == "no-store");
        if (reply.status >= 400)
            CHECK(reply.json["error"]["request_id"] == reply.header("x-request-id"));
    }
}
