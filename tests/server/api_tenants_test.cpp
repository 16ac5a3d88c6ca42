// Two tenants who try each other's ids on every route that there is: a new route is tried by
// itself, because the list is the router's own.
#include "api_site.h"

#include <catch2/catch.hpp>

#include <regex>

using apps::Right;
using server::api::Access;

namespace {

// Two apps, each with a build, and a token of each kind for them.
struct Tenants : ApiSite {
    // Every route is tried many times within a minute.
    Tenants() : ApiSite([](server::Config& limits) { limits.http.max_requests = 0; }) {
        for (const char* name : {"red", "blue"}) {
            store->add_app({name, 1});
            repositories.create(name);
            builds[name] = add_build(name).id;
        }
        red_deploy = add_token("red-deploy", {"app:red:deploy"});
        red_read = add_token("red-read", {"app:red:read"});
        everything = add_token("everything", {"server"});
    }

    // The pattern with the ids of this app.
    std::string path_of(const std::string& pattern, const std::string& app) {
        auto path = std::regex_replace(pattern, std::regex("\\{app\\}"), app);
        path = std::regex_replace(path, std::regex("\\{build\\}"), builds.at(app));
        path = std::regex_replace(path, std::regex("\\{record\\}"), "report");
        return std::regex_replace(path, std::regex("\\{\\w+\\}"), "x1");
    }

    std::map<std::string, std::string> builds;
    std::string red_deploy, red_read, everything;
};

bool names_something_of_an_app(const std::string& pattern) {
    return pattern.find("{app}") != std::string::npos ||
           pattern.find("{build}") != std::string::npos;
}

} // namespace

TEST_CASE("another tenant's ids do not exist, on any route") {
    Tenants site;
    int tried = 0;
    for (const auto& rule : site.api->rules()) {
        if (rule.access == Access::open || !names_something_of_an_app(rule.pattern)) continue;
        const auto reply =
            site.ask(rule.method, site.path_of(rule.pattern, "blue"), site.red_deploy);
        INFO(rule.method << " " << rule.pattern << ": " << reply.text);
        CHECK(reply.status == 404);
        if (rule.method != "HEAD") CHECK(reply.code() == "not_found");
        ++tried;
    }
    CHECK(tried >= 9);
}

TEST_CASE("an id of the caller's own app does not open another's in the same path") {
    Tenants site;
    for (const auto& rule : site.api->rules()) {
        if (rule.pattern.find("{app}") == std::string::npos ||
            rule.pattern.find("{build}") == std::string::npos)
            continue;
        auto path = std::regex_replace(rule.pattern, std::regex("\\{app\\}"), "red");
        const auto reply = site.ask(rule.method, site.path_of(path, "blue"), site.red_deploy);
        INFO(rule.method << " " << rule.pattern << ": " << reply.text);
        CHECK(reply.status == 404);
    }
}

TEST_CASE("what is not there and what is another's have the same answer") {
    Tenants site;
    auto others = site.ask("GET", "/v1/apps/blue", site.red_deploy);
    auto nobodys = site.ask("GET", "/v1/apps/nope", site.red_deploy);
    for (auto* reply : {&others, &nobodys}) reply->json["error"].erase("request_id");
    const auto text = std::regex_replace(others.json.dump(), std::regex("blue"), "nope");
    CHECK(text == nobodys.json.dump());
}

TEST_CASE("a token that may read one app may change nothing, on any route") {
    Tenants site;
    int tried = 0;
    for (const auto& rule : site.api->rules()) {
        if (rule.access != Access::deploy && rule.access != Access::server) continue;
        const auto reply = site.ask(rule.method, site.path_of(rule.pattern, "red"), site.red_read);
        INFO(rule.method << " " << rule.pattern << ": " << reply.text);
        CHECK(reply.status == 403);
        CHECK(reply.code() == "denied");
        ++tried;
    }
    CHECK(tried >= 12);
    CHECK(site.store->find_app("red"));
}

TEST_CASE("a token that may deploy one app does not run the server") {
    Tenants site;
    for (const auto& rule : site.api->rules()) {
        if (rule.access != Access::server) continue;
        const auto reply =
            site.ask(rule.method, site.path_of(rule.pattern, "red"), site.red_deploy);
        INFO(rule.method << " " << rule.pattern << ": " << reply.text);
        CHECK(reply.status == 403);
    }
}

TEST_CASE("without a token every route but the open ones answers 401 and how to ask") {
    Tenants site;
    for (const auto& rule : site.api->rules()) {
        if (rule.access == Access::open) continue;
        const auto reply = site.ask(rule.method, site.path_of(rule.pattern, "red"), "");
        INFO(rule.method << " " << rule.pattern << ": " << reply.text);
        CHECK(reply.status == 401);
        CHECK(reply.header("www-authenticate").find("Bearer") != std::string::npos);
    }
}

TEST_CASE("lists hold what the token may see and nothing else") {
    Tenants site;
    const auto apps = site.ask("GET", "/v1/apps", site.red_read);
    REQUIRE(apps.json["apps"].size() == 1);
    CHECK(apps.json["apps"][0]["name"] == "red");
    CHECK(apps.json["meta"]["pagination"]["total_count"] == 1);
    const auto builds = site.ask("GET", "/v1/builds", site.red_read);
    REQUIRE(builds.json["builds"].size() == 1);
    CHECK(builds.json["builds"][0]["app"] == "red");
    CHECK(builds.json["meta"]["pagination"]["total_count"] == 1);
    CHECK(site.ask("GET", "/v1/builds", site.everything).json["builds"].size() == 2);
}

TEST_CASE("a token's own app stays its own when the app is made anew") {
    Tenants site;
    site.store->builds().close([&] {
        auto build = *site.store->builds().find(site.builds["red"]);
        build.state = apps::BuildState::cancelled;
        return build;
    }());
    CHECK(site.ask("DELETE", "/v1/apps/red?current_name=red", site.everything).status == 204);
    CHECK(site.ask("POST", "/v1/apps", site.everything, {{"app", {{"name", "red"}}}}).status ==
          201);
    CHECK(site.ask("GET", "/v1/apps/red", site.red_read).status == 401);
}

TEST_CASE("another site's page cannot use a browser's remembered password") {
    Tenants site;
    const auto reply = site.ask("POST", "/v1/apps", site.everything, {{"app", {{"name", "x"}}}},
                                {"Sec-Fetch-Site: cross-site"});
    CHECK(reply.status == 403);
    CHECK_FALSE(site.store->find_app("x"));
}
