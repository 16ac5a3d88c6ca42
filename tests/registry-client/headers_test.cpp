#include "headers.h"

#include <catch2/catch.hpp>

using registry::next_link;
using registry::received_bytes;

TEST_CASE("the next page is found in every form of a Link header") {
    for (const char* link :
         {"</next>; rel=\"next\"", "</next>;rel=next", "</next> ; REL = \"NEXT\"",
          "</before>; rel=\"prev\", </next>; rel=\"next\"", "</next>; title=\"a, b; c\"; rel=next",
          "</next>; rel=\"last next\"", "</a>; title=\"rel=\\\"next\\\"\", </next>; rel=\"next\"",
          "</b>;, </next>; rel=next"}) {
        INFO(link);
        CHECK(next_link(link) == "/next");
    }
    CHECK(next_link("</v2/a/tags/list?last=x%2Cy&n=1,2>; rel=\"next\"") ==
          "/v2/a/tags/list?last=x%2Cy&n=1,2");
    for (const char* link : {"", "<", "</a", "</a>", "</a>; rel=prev", "</a>; rel=\"nextish\"",
                             "</a>; title=next", "next", "</a>; rel", "</a>; rel=\"prev"}) {
        INFO(link);
        CHECK_FALSE(next_link(link));
    }
}

TEST_CASE("how much of an upload arrived is read from what registries say") {
    CHECK(received_bytes("0-0") == 0);
    CHECK(received_bytes("0-99") == 100);
    CHECK(received_bytes("bytes=0-99") == 100);
    CHECK(received_bytes("0-18446744073709551614") == 18446744073709551615u);
    for (const char* range : {"", "0", "0-", "-", "-1", "1-99", "0-9x", "x-9", "0--1", "0-99 ",
                              "0-18446744073709551615", "0-99999999999999999999", "bytes 0-99"}) {
        INFO(range);
        CHECK_FALSE(received_bytes(range));
    }
}
