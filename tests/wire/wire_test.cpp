#include "base/task_group.h"
#include "base/temp_dir.h"
#include "wire/client.h"
#include "wire/server.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

// A server that gives each connection to `serve`, until the test ends.
class Server {
  public:
    explicit Server(std::filesystem::path path, std::function<void(wire::Exchange&)> serve)
        : listener_(wire::listen_at(path, 0600)) {
        tasks_.start([this, serve](const base::Stop& stop) {
            while (auto fd = wire::accept_from(listener_.get(), stop)) {
                wire::Exchange exchange(std::move(fd));
                serve(exchange);
            }
        });
    }

  private:
    base::UniqueFd listener_;
    base::TaskGroup tasks_;
};

ErrorKind kind_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::internal;
}

} // namespace

TEST_CASE("a call gets its events in order, then the result") {
    base::TempDir dir("wire");
    Server server(dir.path() / "s", [](wire::Exchange& exchange) {
        const auto request = exchange.read_request({});
        for (int i = 0; i < 3; ++i) exchange.send_event({{"line", i}});
        exchange.send_result({{"verb", request["verb"]}, {"pid", exchange.peer().pid}});
    });
    std::vector<int> seen;
    const auto result = wire::call(dir.path() / "s", {{"verb", "apps.list"}},
                                   [&](const Value& event) { seen.push_back(event["line"]); });
    CHECK(seen == std::vector<int>{0, 1, 2});
    CHECK(result["verb"] == "apps.list");
    CHECK(result["pid"] == ::getpid());
}

TEST_CASE("an error of the server arrives with its kind, message and hint") {
    base::TempDir dir("wire");
    Server server(dir.path() / "s", [](wire::Exchange& exchange) {
        exchange.read_request({});
        exchange.send_error(Error(ErrorKind::not_found, "no app \"x\"", "List them."));
    });
    try {
        wire::call(dir.path() / "s", {{"verb", "apps.info"}});
        FAIL("no error came");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::not_found);
        CHECK(error.message() == "no app \"x\"");
        CHECK(error.hint() == "List them.");
    }
}

TEST_CASE("nobody listening, and a server that leaves without an answer, are unavailable") {
    base::TempDir dir("wire");
    CHECK(kind_of([&] {
              wire::call(dir.path() / "none", {{"verb", "x"}});
          }) == ErrorKind::unavailable);
    Server server(dir.path() / "s", [](wire::Exchange& exchange) {
        exchange.send_event({{"line", "half"}});
    });
    CHECK(kind_of([&] {
              wire::call(dir.path() / "s", {{"verb", "x"}});
          }) == ErrorKind::unavailable);
}

TEST_CASE("a request over the cap, one that is not JSON and one that is no object are refused") {
    base::TempDir dir("wire");
    Server server(dir.path() / "s", [](wire::Exchange& exchange) {
        try {
            exchange.read_request({});
            exchange.send_result({});
        } catch (const Error& error) {
            exchange.send_error(error);
        }
    });
    CHECK(kind_of([&] {
              wire::call(dir.path() / "s", {"a", "list"});
          }) == ErrorKind::invalid_input);
    CHECK_NOTHROW(
        wire::call(dir.path() / "s", {{"fits", std::string(wire::longest_request - 100, 'x')}}));
    // The refusal may overtake the rest of the request, which then meets a closed socket.
    const auto kind = kind_of([&] {
        wire::call(dir.path() / "s", {{"verb", std::string(wire::longest_request + 1, 'x')}});
    });
    CHECK((kind == ErrorKind::limit_exceeded || kind == ErrorKind::unavailable));
}

TEST_CASE("a silent peer is given up at the deadline, on either side") {
    auto [ours, theirs] = base::make_socket_pair();
    wire::Exchange exchange(std::move(ours));
    CHECK_FALSE(exchange.peer_left());
    CHECK(kind_of([&] {
              exchange.read_request(base::Stop{}.within(std::chrono::milliseconds(20)));
          }) == ErrorKind::timed_out);
    const Value large = std::string(4u << 20, 'x');
    CHECK(kind_of([&] {
              exchange.send_event(large, base::Stop{}.within(std::chrono::milliseconds(20)));
          }) == ErrorKind::timed_out);
    theirs.reset();
    CHECK(exchange.peer_left());
    CHECK(kind_of([&] { exchange.send_event(large); }) == ErrorKind::unavailable);
}

TEST_CASE("a socket's path may be longer than an address holds") {
    base::TempDir dir("wire");
    const auto deep = dir.path() / std::string(120, 'd');
    std::filesystem::create_directory(deep);
    Server server(deep / "s", [](wire::Exchange& exchange) {
        exchange.read_request({});
        exchange.send_result("here");
    });
    CHECK(wire::call(deep / "s", {{"verb", "x"}}) == "here");
}

TEST_CASE("a dead server's socket is replaced, a live one's and a plain file are not") {
    base::TempDir dir("wire");
    const auto path = dir.path() / "s";
    {
        const auto dead = wire::listen_at(path, 0660);
        struct stat found {};
        REQUIRE(::lstat(path.c_str(), &found) == 0);
        CHECK((found.st_mode & 0777) == 0660);
        CHECK(kind_of([&] { wire::listen_at(path, 0600); }) == ErrorKind::already_exists);
    }
    CHECK_NOTHROW(wire::listen_at(path, 0600));
    base::write_file(dir.path() / "file", "precious");
    CHECK(kind_of([&] { wire::listen_at(dir.path() / "file", 0600); }) ==
          ErrorKind::already_exists);
    CHECK(base::read_file(dir.path() / "file") == "precious");
}
