// The token service, asked as registry clients ask it. That docker-registry believes its tokens is
// the scenarios' part (own_registry).
#include "api_site.h"

#include "registry_tokens.h"

#include <catch2/catch.hpp>

using nlohmann::json;
using server::RegistryTokens;

namespace {

struct TokenSite : ApiSite {
    TokenSite() : ApiSite([](server::Config& given) { given.http.max_failed_logins = 5; }) {
        registry.tokens = &tokens;
        store->add_app({"shop", 1, "", "acme/shop/web"});
        store->add_app({"other", 1, "", ""});
    }

    // What was granted, "refused" for a 401, or the status.
    std::string granted(const std::string& password, const std::string& scope) {
        const auto reply = get(password, "?service=slipway-registry&scope=" + scope);
        if (reply.status == 401) return "refused";
        if (reply.status != 200) return std::to_string(reply.status);
        CHECK(reply.json["access_token"] == reply.json["token"]);
        CHECK(reply.json["expires_in"] == 300);
        return reply.json["scope"];
    }
    Reply get(const std::string& password, const std::string& query) {
        std::vector<std::string> headers;
        if (!password.empty())
            headers.push_back("Authorization: Basic " + base::base64_encode("me:" + password));
        return ask("GET", "/registry/token" + query, "", nullptr, headers);
    }
    Reply post(const std::string& form) {
        http::Request request;
        request.method = "POST";
        request.url = url + "/registry/token";
        request.headers = {"Content-Type: application/x-www-form-urlencoded"};
        request.body = form;
        const auto response = client.send(request, base::Stop{}.within(std::chrono::seconds(60)));
        return {response.status, response.headers, response.body, json::parse(response.body)};
    }

    RegistryTokens tokens;
};

const std::string all_of_shop = "repository:acme/shop/web:pull,push,delete";

} // namespace

TEST_CASE("a member gets what the right over the app allows, and nothing of another's") {
    TokenSite site;
    const auto deploys = site.add_token("deploys", {"app:shop:deploy"});
    const auto pushes = site.add_token("pushes", {"app:shop:push"});
    const auto reads = site.add_token("reads", {"app:shop:read"});
    const auto stranger = site.add_token("stranger", {"app:other:deploy"});
    const auto root = site.add_token("root", {"server"});

    CHECK(site.granted(deploys, all_of_shop) == "repository:acme/shop/web:pull,push");
    CHECK(site.granted(pushes, all_of_shop) == "repository:acme/shop/web:pull,push");
    CHECK(site.granted(reads, all_of_shop) == "repository:acme/shop/web:pull");
    CHECK(site.granted(root, all_of_shop) == "repository:acme/shop/web:pull,push");
    CHECK(site.granted(root, "repository:stacks/tiny/run:pull,push") ==
          "repository:stacks/tiny/run:pull,push");
    CHECK(site.granted(stranger, "repository:other:pull,push") == "repository:other:pull,push");
    // The app's name is not its repository, and nobody learns what is there.
    for (const auto* name :
         {"acme/shop/web", "shop", "acme/shop", "acme/shop/web/api", "nothing"}) {
        INFO(name);
        CHECK(site.granted(stranger, std::string("repository:") + name + ":pull,push") == "");
    }
    for (const auto* scope : {"registry:catalog:*", "repository:acme/shop/web:*", "nonsense"}) {
        INFO(scope);
        CHECK(site.granted(deploys, scope) == "");
        CHECK(site.granted(root, scope) == "");
    }
}

TEST_CASE("several scopes are granted each by its own, as a mount asks for them") {
    TokenSite site;
    const auto token = site.add_token("both", {"app:shop:push", "app:other:read"});
    CHECK(site.granted(token,
                       "repository:acme/shop/web:pull,push&scope=repository:other:pull,push") ==
          "repository:acme/shop/web:pull,push repository:other:pull");
    CHECK(site.granted(token, "repository:acme/shop/web:pull%20repository:other:pull") ==
          "repository:acme/shop/web:pull repository:other:pull");
}

TEST_CASE("without a token, with a wrong one and with an expired one there is nothing") {
    TokenSite site;
    const auto expired = site.add_token("expired", {"app:shop:deploy"}, 1);
    CHECK(site.granted("", all_of_shop) == "refused");
    CHECK(site.granted(expired, all_of_shop) == "refused");
    const auto reply = site.get("wrong", "");
    CHECK(reply.status == 401);
    CHECK(reply.json["errors"][0]["code"] == "UNAUTHORIZED");
    CHECK(reply.header("www-authenticate").starts_with("Basic "));
}

TEST_CASE("wrong passwords count as wrong tokens of the API do, and lock out no right one") {
    TokenSite site;
    const auto build = site.add_build("shop");
    const auto secret = site.tokens.secret_of_build(build.id).reveal();
    const auto good = site.add_token("good", {"app:shop:read"});
    for (int i = 0; i < 5; ++i) CHECK(site.granted("wrong", all_of_shop) == "refused");
    const auto busy = site.get("wrong", "");
    CHECK(busy.status == 429);
    CHECK_FALSE(busy.header("retry-after").empty());
    CHECK(busy.json["errors"][0]["code"] == "TOOMANYREQUESTS");
    CHECK(site.ask("GET", "/v1/apps", "slw_wrong").status == 429);
    CHECK(site.granted(good, all_of_shop) == "repository:acme/shop/web:pull");
    CHECK(site.granted(secret, all_of_shop) == "repository:acme/shop/web:pull,push");
}

TEST_CASE("a build pushes to its app's repository, reads the operator's, and ends") {
    TokenSite site;
    auto build = site.add_build("shop");
    const auto secret = site.tokens.secret_of_build(build.id).reveal();
    CHECK(site.granted(secret, all_of_shop) == "repository:acme/shop/web:pull,push");
    CHECK(site.granted(secret, "repository:stacks/tiny/run:pull,push") ==
          "repository:stacks/tiny/run:pull");
    CHECK(site.granted(secret, "repository:other:pull") == "");
    CHECK(site.granted(secret, "registry:catalog:*") == "");
    build.state = apps::BuildState::cancelled;
    build.finished = apps::now_milliseconds();
    REQUIRE(site.store->builds().close(build));
    CHECK(site.granted(secret, all_of_shop) == "refused");
    CHECK(site.granted(RegistryTokens().secret_of_build(build.id).reveal(), all_of_shop) ==
          "refused");
}

TEST_CASE("what a destroyed app has left in the registry is nobody's until all of it is gone") {
    TokenSite site;
    const auto build = site.add_build("other");
    const auto secret = site.tokens.secret_of_build(build.id).reveal();
    const auto root = site.add_token("root", {"server"});
    site.store->remove_app("shop", "here");
    CHECK(site.granted(secret, all_of_shop) == "");
    CHECK(site.granted(root, all_of_shop) == "");
    CHECK(site.granted(site.tokens.own_password().reveal(), all_of_shop) == all_of_shop);
    site.store->forget_leaving("here", "acme/shop/web");
    CHECK(site.granted(secret, all_of_shop) == "repository:acme/shop/web:pull");
}

TEST_CASE("the server itself may do everything, which nobody else may") {
    TokenSite site;
    const auto own = site.tokens.own_password().reveal();
    CHECK(site.granted(own, all_of_shop) == all_of_shop);
    CHECK(site.granted(own, "registry:catalog:*") == "registry:catalog:*");
}

TEST_CASE("a token may be traded as OAuth does, and kept as a refresh token") {
    TokenSite site;
    const auto token = site.add_token("ci", {"app:shop:push"});
    const auto first = site.post(
        "grant_type=password&username=ci&password=" + token +
        "&service=slipway-registry&client_id=test&access_type=offline&scope=" + all_of_shop);
    REQUIRE(first.status == 200);
    CHECK(first.json["scope"] == "repository:acme/shop/web:pull,push");
    const std::string refresh = first.json["refresh_token"];
    const auto again = site.post(
        "grant_type=refresh_token&service=slipway-registry&client_id=test&refresh_token=" +
        refresh + "&scope=" + all_of_shop);
    CHECK(again.status == 200);
    CHECK(again.json["scope"] == "repository:acme/shop/web:pull,push");
    CHECK_FALSE(again.json.contains("refresh_token"));
    CHECK(site.get(token, "?offline_token=true").json["refresh_token"] == refresh);
    CHECK(site.post("grant_type=refresh_token&refresh_token=wrong").status == 401);
    CHECK(site.post("grant_type=client_credentials").status == 400);
    CHECK(site.post("%zz").status == 400);
}

TEST_CASE("a token for another service is not ours to give") {
    TokenSite site;
    const auto token = site.add_token("ci", {"app:shop:push"});
    CHECK(site.get(token, "?service=registry.docker.io").status == 400);
}

TEST_CASE("a server whose registry is another's gives no tokens") {
    ApiSite site;
    CHECK(site.ask("GET", "/registry/token", "").status == 404);
}

TEST_CASE("a token for pushing alone sees nothing of the API") {
    TokenSite site;
    const auto token = site.add_token("ci", {"app:shop:push"});
    CHECK(site.ask("GET", "/v1/users/self", token).status == 200);
    CHECK(site.ask("GET", "/v1/apps", token).json["apps"].empty());
    CHECK(site.ask("GET", "/v1/builds", token).json["builds"].empty());
    CHECK(site.ask("GET", "/v1/apps/shop", token).status == 404);
    CHECK(site.ask("POST", "/v1/apps/shop/builds", token, json::object()).status == 404);
    CHECK(site.ask("GET", "/v1/apps/shop/variables", token).status == 404);
    CHECK(site.ask("POST", "/v1/sources", token, json::object()).status == 403);
    CHECK(site.ask("GET", "/v1/server", token).status == 403);
}

TEST_CASE("an app's repository is its name or a path of its own, which no other app has") {
    TokenSite site;
    const auto root = site.add_token("root", {"server"});
    const auto create = [&](const char* name, const json& repository) {
        return site.ask("POST", "/v1/apps", root,
                        {{"app", {{"name", name}, {"repository", repository}}}});
    };
    CHECK(create("plain", nullptr).json["app"]["repository"] == "plain");
    const auto made = create("web", "acme/stage/web");
    CHECK(made.json["app"]["repository"] == "acme/stage/web");
    CHECK(made.json["app"]["image"] == "127.0.0.1:1/acme/stage/web:latest");
    for (const auto* taken : {"acme/stage/web", "plain", "acme/shop/web"}) {
        INFO(taken);
        const auto refused = create("again", taken);
        CHECK(refused.status == 422);
        CHECK(refused.json["error"]["field"] == "repository");
    }
    CHECK(create("again", "Acme/Web").json["error"]["field"] == "repository");
    CHECK(create("again", "stacks/tiny/run").json["error"]["field"] == "repository");
    // An app must not take by its name what another one has.
    CHECK(create("taker", "later").status == 201);
    CHECK(create("later", nullptr).json["error"]["field"] == "repository");
}

TEST_CASE("an app's repository moves as long as it holds no image") {
    TokenSite site;
    const auto root = site.add_token("root", {"server"});
    const auto move = [&](const json& to) {
        return site.ask("PATCH", "/v1/apps/other", root, {{"app", {{"repository", to}}}});
    };
    CHECK(move("acme/other").json["app"]["repository"] == "acme/other");
    CHECK(move("acme/shop/web").status == 409);
    CHECK(move(nullptr).json["app"]["repository"] == "other");
    auto build = site.add_build("other");
    CHECK(move("acme/other").status == 409);
    build.state = apps::BuildState::published;
    build.digest = "sha256:1";
    build.finished = apps::now_milliseconds();
    REQUIRE(site.store->builds().close(build));
    CHECK(move("acme/other").status == 409);
    CHECK(move("other").status == 200); // which is where it is
}
