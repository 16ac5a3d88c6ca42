#include "../../engine/src/frames.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using namespace std::string_literals;

namespace {

std::string frame(char type, unsigned id, const std::string& payload) {
    std::string bytes(1, type);
    for (const auto value : {id, static_cast<unsigned>(payload.size())})
        for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift);
    return bytes + payload;
}

struct Heard {
    std::string text;
    engine::FrameReader reader;
    Heard() {
        reader.set_sink({.output =
                             [this](std::uint32_t id, std::string_view bytes) {
                                 text += std::to_string(id) + ":" + std::string(bytes) + " ";
                             },
                         .exit =
                             [this](std::uint32_t id, base::ExitStatus status) {
                                 text += std::to_string(id) + " ended with " + status.describe();
                             }});
    }
};

} // namespace

TEST_CASE("a request holds its id, its flag and its strings") {
    CHECK(engine::render_request(7, {.argv = {"a", ""},
                                     .environment = {"K=v"},
                                     .working_directory = "/d",
                                     .alone = true}) == "\x13\0\0\0"s + "\7\0\0\0"s + "\1" +
                                                            "/d\0"
                                                            "1\0"
                                                            "K=v\0"
                                                            "2\0"
                                                            "a\0"
                                                            "\0"s);
}

TEST_CASE("frames are understood in whatever pieces they come") {
    const auto bytes = frame('o', 1, "out") + frame('e', 2, "") + frame('x', 1, "\3\0\0\0"s);
    Heard whole, single;
    whole.reader.feed(bytes);
    for (const char byte : bytes) single.reader.feed({&byte, 1});
    CHECK(whole.text == "1:out 1 ended with exit code 3");
    CHECK(single.text == "1:o 1:u 1:t 1 ended with exit code 3");
}

TEST_CASE("a negative status is a signal") {
    Heard heard;
    heard.reader.feed(frame('x', 5, "\xf7\xff\xff\xff"));
    CHECK(heard.text == "5 ended with signal 9 (Killed)");
}

TEST_CASE("frames that the protocol does not know are refused") {
    const auto bad = GENERATE(as<std::string>{}, frame('?', 1, "x"), frame('x', 1, "xyz"),
                              frame('x', 1, "\x00\x00\x00\x80"s), "o\1\0\0\0\1\x80\0\0"s,
                              "o\1\0\0\0\xff\xff\xff\xff"s);
    Heard heard;
    CHECK_THROWS_AS(heard.reader.feed(bad), base::Error);
}
