#include "registry_scope.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using server::check_repository_name;
using server::parse_registry_scopes;
using server::RegistryScope;
using Scopes = std::vector<RegistryScope>;

TEST_CASE("a scope is a type, a name and what is to be done there") {
    CHECK(parse_registry_scopes("repository:acme/shop/web:pull,push") ==
          Scopes{{"repository", "acme/shop/web", {"pull", "push"}}});
    CHECK(parse_registry_scopes("registry:catalog:*") == Scopes{{"registry", "catalog", {"*"}}});
    CHECK(parse_registry_scopes("repository(plugin):a:pull") ==
          Scopes{{"repository", "a", {"pull"}}});
}

TEST_CASE("a name may hold the colon of a registry's port") {
    CHECK(parse_registry_scopes("repository:host.test:5000/web:pull") ==
          Scopes{{"repository", "host.test:5000/web", {"pull"}}});
}

TEST_CASE("several scopes are separated by spaces, and what is none is left out") {
    CHECK(parse_registry_scopes("repository:a:pull  repository:b:push nonsense repository:c ::") ==
          Scopes{{"repository", "a", {"pull"}}, {"repository", "b", {"push"}}});
    for (const auto* nothing :
         {"", " ", ":", "a:b", "repository::pull", "repository:a:", ":a:pull"}) {
        INFO(nothing);
        CHECK(parse_registry_scopes(nothing).empty());
    }
}

TEST_CASE("however much is asked for at once, a hundred scopes are looked at") {
    std::string many;
    for (int i = 0; i < 1000; ++i) many += "repository:a" + std::to_string(i) + ":pull ";
    CHECK(parse_registry_scopes(many).size() == 100);
}

TEST_CASE("what is granted is a part of what was asked") {
    const auto pulls = [](const RegistryScope& scope, const std::string& action) {
        return scope.name != "secret" && action == "pull";
    };
    const auto asked = parse_registry_scopes(
        "repository:a:pull,push,delete repository:secret:pull repository:b:push");
    CHECK(server::intersect(asked, pulls) == Scopes{{"repository", "a", {"pull"}}});
}

TEST_CASE("a rendered scope is the one that was parsed") {
    const std::string text = "repository:acme/web:pull,push";
    CHECK(parse_registry_scopes(text).at(0).render() == text);
}

TEST_CASE("names of repositories are those of the distribution specification") {
    for (const auto* good : {"web", "acme/shop/production/web", "a.b_c__d-e---f/0", "a/b/c/d/e"}) {
        INFO(good);
        CHECK_NOTHROW(check_repository_name(good));
    }
    for (const auto* bad : {"", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", "-a", "a-",
                            "a b", "a:b", "a@b", "../a", "ä", "a/_manifests"}) {
        INFO(bad);
        CHECK_THROWS_AS(check_repository_name(bad), base::Error);
    }
    CHECK_NOTHROW(check_repository_name(std::string(191, 'a')));
    CHECK_THROWS_AS(check_repository_name(std::string(192, 'a')), base::Error);
}

TEST_CASE("no app may have a repository among the stacks") {
    CHECK_THROWS_AS(check_repository_name("stacks/debian-12/run"), base::Error);
    CHECK_NOTHROW(check_repository_name("stacks"));
}
