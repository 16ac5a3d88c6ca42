#include "api_shop_site.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;

namespace {

struct VariableSite : ShopSite {
    Reply patch(const json& wanted) {
        return ask("PATCH", "/v1/apps/shop/variables", deploy, {{"variables", wanted}});
    }
};

} // namespace

TEST_CASE("variables are set, listed without their values, and taken away") {
    VariableSite site;
    const auto set = site.patch({{{"name", "URL"}, {"value", "secret words"}},
                                 {{"name", "MODE"}, {"value", "x"}, {"use", "build"}}});
    REQUIRE(set.status == 200);
    CHECK_THAT(set.text, !Contains("secret words"));
    const auto list = site.ask("GET", "/v1/apps/shop/variables", site.deploy);
    REQUIRE(list.json["variables"].size() == 2);
    CHECK(list.json["variables"][0]["name"] == "MODE");
    CHECK(list.json["variables"][0]["use"] == "build");
    CHECK_THAT(list.text, !Contains("secret words"));
    const auto values = site.ask("GET", "/v1/apps/shop/variables?values", site.deploy);
    CHECK(values.json["variables"][1]["value"] == "secret words");
    CHECK(
        site.patch(json::array({{{"name", "URL"}, {"value", nullptr}}})).json["variables"].size() ==
        1);
}

TEST_CASE("the use of a variable changes without its value") {
    VariableSite site;
    site.patch(json::array({{{"name", "URL"}, {"value", "v"}}}));
    const auto changed = site.patch(json::array({{{"name", "URL"}, {"use", "run"}}}));
    CHECK(changed.json["variables"][0]["use"] == "run");
    const auto values = site.ask("GET", "/v1/apps/shop/variables?values", site.deploy);
    CHECK(values.json["variables"][0]["value"] == "v");
}

TEST_CASE("one wrong variable sets none, and no error repeats a value") {
    VariableSite site;
    const json good{{"name", "GOOD"}, {"value", "secret words"}};
    for (const json& wrong :
         {json{{"name", "1X"}, {"value", "secret words"}},
          json{{"name", "X"}, {"value", "secret words"}, {"use", "never"}}, json{{"name", "X"}},
          json{{"value", "secret words"}}, json{{"name", "X"}, {"value", 5}}, json("X")}) {
        const auto reply = site.patch(json::array({good, wrong}));
        CHECK((reply.status == 422 || reply.status == 400));
        CHECK_THAT(reply.text, !Contains("secret words"));
    }
    CHECK(site.patch(json::array()).status == 422);
    CHECK(site.ask("GET", "/v1/apps/shop/variables", site.deploy).json["variables"].empty());
}

TEST_CASE("after a rotation every value still opens") {
    VariableSite site;
    site.patch(json::array({{{"name", "URL"}, {"value", "v"}}}));
    const auto reply = site.ask("POST", "/v1/variables/rotate", site.root);
    REQUIRE(reply.status == 200);
    CHECK(reply.json["rotation"]["resealed"] == 1);
    const auto values = site.ask("GET", "/v1/apps/shop/variables?values", site.deploy);
    CHECK(values.json["variables"][0]["value"] == "v");
}
