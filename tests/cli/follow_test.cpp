#include "follow.h"

#include "fake_server.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <atomic>

using base::ErrorKind;
using base::json::Value;

namespace {

constexpr std::chrono::milliseconds at_once{1};
const std::string whole_log = "first line\nsecond line\nthird line\n";

std::size_t offset_of(const FakeServer::Request& request) {
    return std::stoul(request.target.substr(request.target.find("offset=") + 7));
}

std::string build_in(const std::string& state) {
    return FakeServer::answer(200, {}, Value{{"build", {{"id", "b1"}, {"state", state}}}}.dump());
}

// `sent` bytes of what was announced, and then nothing.
std::string broken_off(const std::string& text, std::size_t sent) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) +
           "\r\nConnection: close\r\n\r\n" + text.substr(0, sent);
}

struct Followed {
    std::string text;
    std::uint64_t offset = 0;
    Value build;
};

Followed follow(const FakeServer& server, std::uint64_t offset = 0, const base::Stop& stop = {}) {
    const cli::ApiClient api({.url = "http://" + server.host()}, "test", stop, at_once);
    Followed followed;
    followed.build = cli::follow_log(
        api, "b1", offset,
        [&](std::string_view piece, std::uint64_t at) {
            followed.text += piece;
            followed.offset = at;
        },
        stop, at_once);
    return followed;
}

bool asks_for_log(const FakeServer::Request& request) {
    return request.target.starts_with("/v1/builds/b1/log?");
}

} // namespace

TEST_CASE("a log that breaks off goes on at the byte where it was") {
    std::atomic<int> logs = 0;
    FakeServer server([&](const auto& request) {
        if (!asks_for_log(request)) return build_in(logs < 3 ? "running" : "published");
        const auto rest = whole_log.substr(std::min(offset_of(request), whole_log.size()));
        switch (++logs) {
        case 1:
            return broken_off(rest, 5);
        case 2:
            return broken_off(rest, 11);
        default:
            return FakeServer::answer(200, {}, rest);
        }
    });
    const auto followed = follow(server);
    CHECK(followed.text == whole_log);
    CHECK(followed.offset == whole_log.size());
    CHECK(followed.build.at("state") == "published");
}

TEST_CASE("lines between the end of the stream and the end of the build are not lost") {
    std::atomic<int> logs = 0;
    FakeServer server([&](const auto& request) {
        if (!asks_for_log(request)) return build_in("refused"); // it ended meanwhile
        const auto known = ++logs == 1 ? whole_log.substr(0, 11) : whole_log;
        return FakeServer::answer(200, {}, known.substr(offset_of(request)));
    });
    CHECK(follow(server).text == whole_log);
    CHECK(server.requests().at(0).target == "/v1/builds/b1/log?offset=0&follow");
    CHECK(server.requests().at(2).target == "/v1/builds/b1/log?offset=11");
}

TEST_CASE("following begins where it is told to") {
    FakeServer server([&](const auto& request) {
        return asks_for_log(request)
                   ? FakeServer::answer(200, {}, whole_log.substr(offset_of(request)))
                   : build_in("published");
    });
    const auto followed = follow(server, 11);
    CHECK(followed.text == "second line\nthird line\n");
    CHECK(followed.offset == whole_log.size());
}

TEST_CASE("a server that is gone is given up, with the offset to go on at") {
    std::atomic<int> calls = 0;
    FakeServer server(
        [&](const auto&) { return ++calls == 1 ? broken_off(whole_log, 11) : std::string(); });
    try {
        follow(server);
        FAIL("it ended well");
    } catch (const base::Error& error) {
        CHECK(error.kind() == ErrorKind::unavailable);
        CHECK(error.hint() == "slipway builds follow b1 --offset 11 goes on here.");
    }
}

TEST_CASE("a build that does not exist is not waited for") {
    FakeServer server([](const auto&) {
        return FakeServer::answer(
            404, {}, R"({"error": {"code": "not_found", "message": "there is no build"}})");
    });
    try {
        follow(server);
        FAIL("it ended well");
    } catch (const base::Error& error) {
        CHECK(error.kind() == ErrorKind::not_found);
    }
    CHECK(server.requests().size() == 1);
}

TEST_CASE("whoever stops watching is told that the build goes on") {
    base::StopSource source;
    FakeServer server([&](const auto&) {
        source.request();
        return FakeServer::hang();
    });
    try {
        follow(server, 7, source.stop());
        FAIL("it ended well");
    } catch (const base::Error& error) {
        CHECK(error.kind() == ErrorKind::cancelled);
        CHECK(error.message() == "you stopped watching; the build goes on");
        CHECK(error.hint().find("builds follow b1 --offset 7") != std::string::npos);
    }
}

TEST_CASE("states are over or not") {
    for (const char* state : {"received", "queued", "running", "exporting"})
        CHECK_FALSE(cli::is_over({{"state", state}}));
    for (const char* state : {"published", "refused", "broken", "cancelled", "superseded", "lost"})
        CHECK(cli::is_over({{"state", state}}));
}
