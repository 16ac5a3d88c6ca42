#include "http/client.h"

#include "errors.h"
#include "fake_server.h"

#include "base/error.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace {

http::Request upload(const std::string& url, const std::string& bytes, std::size_t& at) {
    http::Request request{.method = "PUT", .url = url};
    request.body_size = bytes.size();
    request.body_source = [&](char* buffer, std::size_t size) {
        const auto n = std::min(size, bytes.size() - at);
        std::memcpy(buffer, bytes.data() + at, n);
        at += n;
        return n;
    };
    request.body_rewind = [&] { at = 0; };
    return request;
}

} // namespace

TEST_CASE("any status is an answer, with its headers and its body") {
    FakeServer server([](const auto&) {
        return FakeServer::answer(404, {"X-Thing: one", "X-Thing:   two  "}, "not here");
    });
    http::Client client;
    const auto response = client.send({.url = server.url("/some/path?q=1")}, {});
    CHECK(response.status == 404);
    CHECK(response.body == "not here");
    CHECK(response.headers.count("x-thing") == 2);
    CHECK_FALSE(response.header("x-nothing"));
    const auto seen = server.requests().at(0);
    CHECK(seen.method == "GET");
    CHECK(seen.target == "/some/path?q=1");
    CHECK(seen.header("user-agent").starts_with("slipway"));
}

TEST_CASE("a local socket answers for whatever host a URL names") {
    const base::TempDir directory("slipway-http-");
    const auto path = (directory.path() / "api.sock").string();
    FakeServer server(
        [](const auto& request) { return FakeServer::answer(200, {}, request.target); }, path);
    http::Client client({.unix_socket = path});
    CHECK(client.send({.url = "http://localhost/v1/apps?page=2"}, {}).body == "/v1/apps?page=2");
    CHECK(server.requests().at(0).header("host") == "localhost");
    http::Client nobody({.unix_socket = path + ".not"});
    CHECK(kind_of([&] { nobody.send({.url = "http://localhost/"}, {}); }) ==
          base::ErrorKind::unavailable);
}

TEST_CASE("requests to one server share a connection") {
    FakeServer server([](const auto&) { return FakeServer::answer(200, {}, "x"); });
    http::Client client;
    for (int i = 0; i < 5; ++i) client.send({.url = server.url()}, {});
    client.send({.method = "HEAD", .url = server.url()}, {});
    CHECK(server.connections() <= 2); // a HEAD answer with a length may cost one
    CHECK(server.requests().size() == 6);
}

TEST_CASE("a body is sent whole, with its length and without asking first") {
    FakeServer server([](const auto&) { return FakeServer::answer(201); });
    http::Client client;
    std::string bytes(3'000'000, 'b');
    std::size_t at = 0;
    CHECK(client.send(upload(server.url(), bytes, at), {}).status == 201);
    CHECK(client.send({.method = "POST", .url = server.url(), .body = "form"}, {}).status == 201);
    CHECK(client.send({.method = "POST", .url = server.url()}, {}).status == 201);
    const auto seen = server.requests();
    CHECK((seen.at(0).body == bytes));
    CHECK(seen.at(0).header("content-length") == "3000000");
    CHECK(seen.at(0).header("expect").empty());
    CHECK(seen.at(1).body == "form");
    CHECK(seen.at(1).header("content-type").empty());
    CHECK(seen.at(2).header("content-length") == "0");
}

TEST_CASE("a body that is shorter than announced is our own error, not a hanging request") {
    FakeServer server([](const auto&) { return FakeServer::answer(201); });
    http::Client client;
    std::size_t at = 0;
    const std::string bytes = "short";
    auto request = upload(server.url(), bytes, at);
    request.body_size = 100;
    CHECK(kind_of([&] { client.send(request, {}); }) == base::ErrorKind::internal);
}

TEST_CASE("a sink sees the bytes of a good answer only") {
    FakeServer server([](const auto& request) {
        return request.target == "/good" ? FakeServer::answer(200, {}, "good bytes")
                                         : FakeServer::answer(500, {}, "bad words");
    });
    http::Client client;
    std::string got;
    int status = 0;
    http::Request request{.url = server.url("/good")};
    request.sink = [&](std::string_view bytes) { got += bytes; };
    request.on_status = [&](int told) { status = told; };
    CHECK(client.send(request, {}).body.empty());
    CHECK(got == "good bytes");
    CHECK(status == 200);
    request.url = server.url("/bad");
    CHECK(client.send(request, {}).body == "bad words");
    CHECK(got == "good bytes");
}

TEST_CASE("what a sink throws comes out of the client") {
    FakeServer server([](const auto&) { return FakeServer::answer(200, {}, "x"); });
    http::Client client;
    http::Request request{.url = server.url()};
    request.sink = [](std::string_view) {
        throw base::Error(base::ErrorKind::already_exists, "of the sink");
    };
    CHECK(kind_of([&] { client.send(request, {}); }) == base::ErrorKind::already_exists);
}

TEST_CASE("an answer longer than wanted is refused, an error page is cut") {
    FakeServer server([](const auto& request) {
        return FakeServer::answer(request.target == "/ok" ? 200 : 502, {},
                                  std::string(100000, 'x'));
    });
    http::Client client;
    CHECK(kind_of([&] { client.send({.url = server.url("/ok"), .longest_body = 1000}, {}); }) ==
          base::ErrorKind::limit_exceeded);
    const auto response = client.send({.url = server.url("/bad"), .longest_body = 1000}, {});
    CHECK(response.status == 502);
    CHECK(response.body.size() == 1000);
}

TEST_CASE("redirects are the caller's") {
    FakeServer server([](const auto&) { return FakeServer::answer(307, {"Location: /other"}); });
    http::Client client;
    CHECK(client.send({.url = server.url()}, {}).status == 307);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("a stop ends a request that waits for its answer") {
    base::StopSource source;
    FakeServer server([&](const auto&) {
        source.request();
        return FakeServer::hang();
    });
    http::Client client;
    CHECK(kind_of([&] { client.send({.url = server.url()}, source.stop()); }) ==
          base::ErrorKind::cancelled);
}

TEST_CASE("a deadline ends a request that waits for its answer") {
    FakeServer server([](const auto&) { return FakeServer::hang(); });
    http::Client client;
    const auto stop = base::Stop().within(std::chrono::milliseconds(50));
    CHECK(kind_of([&] { client.send({.url = server.url()}, stop); }) == base::ErrorKind::timed_out);
}

TEST_CASE("a server that says nothing for too long is given up") {
    FakeServer server([](const auto&) { return FakeServer::hang(); });
    http::Client client({.stall_timeout = std::chrono::seconds(1)});
    CHECK(kind_of([&] { client.send({.url = server.url()}, {}); }) == base::ErrorKind::timed_out);
}

TEST_CASE("no server and a broken answer are both unavailable") {
    http::Client client;
    std::string gone;
    {
        FakeServer server([](const auto&) { return std::string(); });
        CHECK(kind_of([&] { client.send({.url = server.url()}, {}); }) ==
              base::ErrorKind::unavailable);
        gone = server.url();
    }
    CHECK(kind_of([&] { client.send({.url = gone}, {}); }) == base::ErrorKind::unavailable);
    FakeServer cut([](const auto&) {
        return std::string(
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc");
    });
    CHECK(kind_of([&] { client.send({.url = cut.url()}, {}); }) == base::ErrorKind::unavailable);
}

TEST_CASE("a header with a line break is not sent") {
    FakeServer server([](const auto&) { return FakeServer::answer(200); });
    http::Client client;
    CHECK(kind_of([&] {
              client.send({.url = server.url(), .headers = {"A: b\r\nAuthorization: c"}}, {});
          }) == base::ErrorKind::invalid_input);
    CHECK(server.requests().empty());
}

TEST_CASE("headers without end are refused") {
    FakeServer server([](const auto&) {
        std::string text = "HTTP/1.1 200 OK\r\n";
        for (int i = 0; i < 5000; ++i)
            text += "X-Many-" + std::to_string(i) + ": " + std::string(80, 'x') + "\r\n";
        return text + "Content-Length: 0\r\n\r\n";
    });
    http::Client client;
    CHECK_THROWS_AS(client.send({.url = server.url()}, {}), base::Error);
}
