#include "http/form.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using http::Form;
using http::parse_form;

TEST_CASE("a form's names and values are decoded, in order, and may repeat") {
    CHECK(parse_form("scope=a%3Ab&scope=c+d&empty=&alone&&last=%C3%A4") ==
          Form{{"scope", "a:b"},
               {"scope", "c d"},
               {"empty", ""},
               {"alone", ""},
               {"last", "\xc3\xa4"}});
    CHECK(parse_form("").empty());
    CHECK(parse_form("a=b=c") == Form{{"a", "b=c"}});
}

TEST_CASE("what is no form is refused") {
    for (const auto* bad : {"a=%", "a=%2", "a=%zz", "%=b", "a=%00"}) {
        INFO(bad);
        CHECK_THROWS_AS(parse_form(bad), base::Error);
    }
}

TEST_CASE("a query is what follows the question mark") {
    CHECK(http::query_of("/registry/token?service=a&scope=b?c") == "service=a&scope=b?c");
    CHECK(http::query_of("/registry/token").empty());
    CHECK(http::query_of("/registry/token?").empty());
}
