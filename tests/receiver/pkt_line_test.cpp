#include "receiver/pkt_line.h"

#include <catch2/catch.hpp>

using namespace receiver;

namespace {

const std::string nobody(40, '0');

std::string with_length(const std::string& text) {
    char head[5];
    std::snprintf(head, sizeof head, "%04zx", text.size() + 4);
    return head + text;
}

const std::string capabilities =
    std::string(1, '\0') + "report-status ofs-delta object-format=sha1\n";

} // namespace

TEST_CASE("a refusal is one packet that git prints") {
    CHECK(error_packet("no app") == "000eERR no app");
    CHECK(error_packet(std::string(100000, 'x')).size() == 65520);
}

TEST_CASE("the first line of an empty repository becomes one that every client understands") {
    const auto input = with_length(nobody + " capabilities^{}" + capabilities) + "0000";
    const auto expected = with_length(std::string(40, '1') + " .have" + capabilities) + "0000";
    Advertisement whole;
    CHECK(whole.pass(input) == expected);
    CHECK(whole.over());
    Advertisement bytewise;
    std::string output;
    for (const char c : input) output += bytewise.pass(std::string(1, c));
    CHECK(output == expected);
}

TEST_CASE("with protocol 1 the version comes first") {
    const auto version = with_length("version 1\n");
    Advertisement advertisement;
    CHECK(advertisement.pass(version) == version);
    CHECK_FALSE(advertisement.over());
    CHECK(advertisement.pass(with_length(nobody + " capabilities^{}" + capabilities)) ==
          with_length(std::string(40, '1') + " .have" + capabilities));
}

TEST_CASE("what is no empty advertisement passes as it is") {
    for (const auto& input :
         {with_length(std::string(40, 'a') + " refs/heads/main" + capabilities) + "0000rest",
          std::string("0000"), std::string("zzzz not a packet"), std::string("0002xx"),
          error_packet("no")}) {
        Advertisement advertisement;
        CHECK(advertisement.pass(input) == input);
        CHECK(advertisement.over());
        CHECK(advertisement.pass("more") == "more");
    }
}
