#include "base/json.h"

#include "base/error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace std::string_literals; // some hold a NUL
using base::ErrorKind;
namespace json = base::json;

TEST_CASE("what is no JSON is refused, and the error names what it was read for") {
    for (const auto& bad : {""s, "{"s, "{} {}"s, "{\"a\": \"\xff\"}"s, std::string(65, '[')}) {
        CAPTURE(bad);
        try {
            json::parse(bad, "the request");
            FAIL("accepted");
        } catch (const base::Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_input);
            CHECK(error.what() == "the request is not valid JSON"s);
        }
    }
}

TEST_CASE("a NUL ends no JSON: not behind it, not within it") {
    for (const auto& bad : {"{}\0"s, "{}\0 and more"s, "\0{}"s, "[1\0"s, "[1,\0 2]"s, "1\0"s, "\0"s,
                            "{\"a\": \"b\0c\"}"s}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(json::parse(bad, "it"), base::Error);
    }
    CHECK(json::parse(R"("\u0000")", "it").get<std::string>() == "\0"s);
}

TEST_CASE("a member that is missing or of another type is named") {
    const auto object = json::parse(R"({"name": "shop", "count": 3, "on": true, "nothing": null,
                                        "list": ["a", "b"], "mixed": ["a", 1]})",
                                    "it");
    CHECK(json::get_string(object, "name") == "shop");
    CHECK(json::get_integer(object, "count") == 3);
    CHECK(json::find_bool(object, "on", false));
    CHECK(json::get_strings(object, "list") == std::vector<std::string>{"a", "b"});
    CHECK_FALSE(json::find_string(object, "nothing"));
    CHECK(json::find_bool(object, "absent", true));
    CHECK(json::get_strings(object, "absent").empty());
    CHECK_THROWS_WITH(json::get_string(object, "absent"), R"("absent" must be given)");
    CHECK_THROWS_WITH(json::get_string(object, "count"), R"("count" must be a string)");
    CHECK_THROWS_WITH(json::find_integer(object, "name"), R"("name" must be a whole number)");
    CHECK_THROWS_WITH(json::find_bool(object, "name", true), R"("name" must be true or false)");
    CHECK_THROWS_WITH(json::get_strings(object, "mixed"), R"("mixed" must be a string)");
}
