#include "payload_members.h"

#include "base/error.h"
#include "base/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace std::string_literals; // some hold a NUL
using receiver::PayloadMembers;

namespace {

const PayloadMembers members{"ref", "head.id", "commits.id", "commits.author.name"};

std::string read(std::string_view json) {
    return base::json::render(members.read(json, "the body"));
}

std::string nested(int levels) {
    return R"({"other": )" + std::string(static_cast<std::size_t>(levels - 1), '[') +
           std::string(static_cast<std::size_t>(levels - 1), ']') + "}";
}

} // namespace

TEST_CASE("only the members that were asked for are kept") {
    CHECK(
        read(R"({"ref": "r", "other": {"ref": "no"}, "head": {"id": 7, "url": "u"}, "x": [1]})") ==
        R"({"head":{"id":7},"ref":"r"})");
    CHECK(read(R"({"commits": [{"id": "a", "x": [{"id": "no"}]}, {"author": {"name": "n"}}]})") ==
          R"({"commits":[{"id":"a"},{"author":{"name":"n"}}]})");
    CHECK(read("{}") == "{}");
}

TEST_CASE("members of another type than the usual one stay what they are") {
    CHECK(read(R"({"ref": {"id": 1}, "head": [{"id": 1}], "commits": "none"})") ==
          R"({"commits":"none","head":[{"id":1}],"ref":{}})");
    CHECK(read(R"({"ref": null, "head": true, "commits": [1, null, "x"]})") ==
          R"({"commits":[1,null,"x"],"head":true,"ref":null})");
    CHECK_FALSE(members.read("[1]", "the body").is_object());
    CHECK_FALSE(members.read(R"("ref")", "the body").is_object());
}

TEST_CASE("of equal names the last one counts") {
    const std::string twice = R"({"head": {"id": 1, "id": 2}, "ref": "a", "head": {}, "ref": "b"})";
    CHECK(read(twice) == R"({"head":{},"ref":"b"})");
    CHECK(base::json::render(base::json::parse(twice, "it")) == R"({"head":{},"ref":"b"})");
}

TEST_CASE("escapes, other alphabets and every kind of number are read as other JSON is") {
    for (const std::string good :
         {R"("a\"b\\\u00e9\ud83d\ude00\n")", R"("é 日本 😀")", "-0", "-12", "0", "1.5e3", "2E-7",
          "18446744073709551615", "123456789012345678901234", "true", "[[], {}, \"\", \"\\\\\"]"}) {
        CAPTURE(good);
        const auto json = " \t\r\n{ \"ref\" :" + good + ", \"other\":" + good + "}\n";
        auto whole = base::json::parse(json, "it");
        whole.erase("other");
        CHECK(members.read(json, "it") == whole);
    }
    CHECK(read(R"({"r\u0065f": 1})") == R"({"ref":1})");
}

TEST_CASE("what is no JSON is refused although nobody asked for the broken part") {
    for (const std::string bad : {"",
                                  "{",
                                  R"({"other": tru})",
                                  R"({"other": [1,]})",
                                  R"({"ref": "a"} x)",
                                  "{\"other\": \"\xff\"}",
                                  R"({"other": "\ud800"})",
                                  R"({"other": 01})",
                                  R"({"other": -})",
                                  R"({"other": 1e999})",
                                  R"({"other": "\x"})",
                                  "{\"other\": \"a\nb\"}",
                                  R"({"other": "a)",
                                  R"({"other": "a\)",
                                  R"({"other": "a\")",
                                  R"({"ref" 1})",
                                  R"({ref: 1})",
                                  "[1 2]",
                                  "[1,,2]",
                                  "[,1]",
                                  R"({"a": 1,})",
                                  R"({"a": 1 "b": 2})",
                                  "[1}",
                                  "nul",
                                  "{\"\xff\": 1}",
                                  R"({"\ud800": 1})",
                                  "1 2",
                                  "+1",
                                  ".5",
                                  "[1]]",
                                  "1\v",
                                  "[\"a\" \"b\"]"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(members.read(bad, "the body"), base::Error);
        CHECK_THROWS_AS(base::json::parse(bad, "the body"), base::Error);
    }
}

TEST_CASE("a NUL ends no payload, whatever stands behind it") {
    for (const auto& bad :
         {"{}\0"s, "{\"ref\": \"a\"}\0 and more"s, "{\"ref\": 1\0"s, "{\"ref\"\0"s, "{\0"s, "[1\0"s,
          "[\"a\"\0"s, "1\0"s, "tru\0"s, "\0"s, "\0{}"s, "{\"other\": \"a\0b\"}"s}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(members.read(bad, "the body"), base::Error);
        CHECK_THROWS_AS(base::json::parse(bad, "the body"), base::Error);
    }
}

TEST_CASE("a payload may be as deep as other JSON, also where nobody asks for it") {
    CHECK_NOTHROW(members.read(nested(64), "the body"));
    CHECK_NOTHROW(base::json::parse(nested(64), "the body"));
    CHECK_THROWS_AS(members.read(nested(65), "the body"), base::Error);
    CHECK_THROWS_AS(base::json::parse(nested(65), "the body"), base::Error);
    CHECK_THROWS_AS(members.read(std::string(1'000'000, '['), "the body"), base::Error);
}
