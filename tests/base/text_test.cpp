#include "base/text.h"

#include <catch2/catch.hpp>

#include <vector>

using namespace base;

namespace {

std::vector<std::string> lines_of(std::vector<std::string_view> pieces,
                                  std::size_t longest = 1000) {
    std::vector<std::string> lines;
    LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); }, longest);
    for (const auto piece : pieces) splitter.feed(piece);
    splitter.finish();
    return lines;
}

} // namespace

TEST_CASE("lines end at a newline, a carriage return or both, also when cut between two reads") {
    CHECK(lines_of({"a\nb"}) == std::vector<std::string>{"a", "b"});
    CHECK(lines_of({"10%\r20%\r\ndone\n"}) == std::vector<std::string>{"10%", "20%", "done"});
    CHECK(lines_of({"x\r", "\ny"}) == std::vector<std::string>{"x", "y"});
    CHECK(lines_of({"\n\n"}) == std::vector<std::string>{"", ""});
}

TEST_CASE("a line without end is cut, so that memory stays bounded") {
    CHECK(lines_of({std::string_view("aaaaaaaaaa")}, 4) ==
          std::vector<std::string>{"aaaa", "aaaa", "aa"});
}

TEST_CASE("control bytes and terminal sequences are shown, not sent") {
    CHECK(printable("a\tb") == "a\tb");
    CHECK(printable(std::string_view("nul\0!", 5)) == "nul^@!");
    CHECK(printable("\x1b]52;c;ZXZpbA==\x07") == "^[]52;c;ZXZpbA==^G");
    CHECK(printable("\x1b[1G\x1b[K") == "^[[1G^[[K");
    CHECK(printable("\x7f") == "^?");
    CHECK(printable("\x9b"
                    "31m") == "\\x9b31m"); // C1 as a lone byte
    CHECK(printable("\xc2\x9b"
                    "31m") == "\\xc2\\x9b31m"); // C1 as UTF-8
}

TEST_CASE("valid UTF-8 stays, invalid bytes are shown") {
    CHECK(printable("grün ✓ 🚀") == "grün ✓ 🚀");
    CHECK(printable("\xff\xfe") == "\\xff\\xfe");
    CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");          // overlong slash
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80"); // surrogate
    CHECK(printable("\xe2\x82") == "\\xe2\\x82");          // cut short
}

TEST_CASE("colours stay only where asked, and only colours") {
    CHECK(printable("\x1b[31mred\x1b[0m", Colour::keep) == "\x1b[31mred\x1b[0m");
    CHECK(printable("\x1b[1;31mred\x1b[0m and\x1b[m more", Colour::drop) == "red and more");
    CHECK(printable("\x1b[2J", Colour::drop) == "^[[2J");
    CHECK(printable("\x1b[31", Colour::drop) == "^[[31");
    CHECK(printable("\x1b[2J", Colour::keep) == "^[[2J");
    CHECK(printable("\x1b[31", Colour::keep) == "^[[31");
}

TEST_CASE("sizes and durations read as people say them") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(999) == "999 B");
    CHECK(human_bytes(36'300'000) == "36.3 MB");
    CHECK(human_duration(340) == "340 ms");
    CHECK(human_duration(2100) == "2.1 s");
    CHECK(human_duration(10'000) == "10 s");
    CHECK(human_duration(192'000) == "3 m 12 s");
}
