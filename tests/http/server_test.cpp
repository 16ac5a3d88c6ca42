#include "http/server.h"

#include "http/client.h"
#include "http_peer.h"

#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <fmt/core.h>
#include <fstream>
#include <sstream>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

// Says what it understood: the method, the path, the length and the text of the body.
void echo(http::Exchange& exchange, const base::Stop&) {
    const auto body = exchange.read_whole_body(1 << 20);
    exchange.send({.status = 200,
                   .headers = {{"X-Path", exchange.head().path}},
                   .body = exchange.head().method + " " + body});
}

std::string get(const std::string& target, const std::string& more = {}) {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}

std::string post(const std::string& body, const std::string& more = {}) {
    return "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + more + "\r\n" + body;
}

// Whether the server behind this port has read all that its connections were sent.
bool has_read_all(unsigned port) {
    std::ifstream table("/proc/net/tcp"); // number, local, remote, state, queues to send:to read
    std::string line;
    while (std::getline(table, line)) {
        std::istringstream words(line);
        std::string number, local, remote, state, queues;
        words >> number >> local >> remote >> state >> queues;
        if (state == "01" && local == fmt::format("0100007F:{:04X}", port) &&
            !queues.ends_with(":00000000"))
            return false;
    }
    return true;
}

} // namespace

TEST_CASE("a request is understood: method, path, query, headers, body, peer") {
    base::Guarded<http::RequestHead> seen;
    RunningServer server([&](http::Exchange& exchange, const base::Stop& stop) {
        *seen.lock() = exchange.head();
        echo(exchange, stop);
    });
    RawClient client(server.port());
    const auto answer = client.ask("POST /v1/a%20b?page=2&q=x%26y+z&flag&page=3 HTTP/1.1\r\n"
                                   "Host: example\r\nX-Twice: 1\r\nx-twice:  2 \r\n"
                                   "Content-Length: 5\r\n\r\nhello");
    REQUIRE(answer);
    CHECK(answer.status == 200);
    CHECK(answer.body == "POST hello");
    CHECK(answer.header("x-path") == "/v1/a%20b");
    CHECK_FALSE(answer.header("date").empty());
    const auto head = *seen.lock();
    CHECK(head.query ==
          std::map<std::string, std::string>{{"page", "3"}, {"q", "x&y z"}, {"flag", ""}});
    CHECK(head.headers.count("x-twice") == 2);
    CHECK(head.header("x-twice") == "1");
    CHECK(head.content_length == 5u);
    CHECK(head.peer == "127.0.0.1");
    CHECK_FALSE(head.peer_uid);
    CHECK_FALSE(head.tls);
    CHECK(head.id.size() == 16);
    server.stop();
    REQUIRE(server.answers().size() == 1);
    CHECK(server.answers()[0].first == 200);
}

TEST_CASE("one connection carries many requests, also when they are sent at once") {
    RunningServer server(echo);
    RawClient client(server.port());
    std::string all;
    for (int i = 0; i < 50; ++i) all += post("body " + std::to_string(i));
    REQUIRE(client.send(all));
    for (int i = 0; i < 50; ++i) {
        const auto answer = client.answer();
        REQUIRE(answer);
        REQUIRE(answer.body == "POST body " + std::to_string(i));
    }
    CHECK(server.server().connections() == 1);
    const auto last = client.ask(get("/", "Connection: close\r\n"));
    REQUIRE(last);
    CHECK(last.header("connection") == "close");
    CHECK(client.is_closed());
}

TEST_CASE("requests may come in single bytes") {
    RunningServer server(echo);
    RawClient client(server.port());
    for (const char c : "\r\n" + post("slow")) REQUIRE(client.send({&c, 1}));
    CHECK(client.answer().body == "POST slow");
}

TEST_CASE("an empty line before a request is nothing, also when it comes in two parts") {
    RunningServer server(echo);
    RawClient client(server.port());
    REQUIRE(client.send("\r"));
    while (!has_read_all(server.port())) std::this_thread::yield();
    REQUIRE(client.send("\n" + post("after it")));
    CHECK(client.answer().body == "POST after it");
}

TEST_CASE("a chunked body is put together, its trailer is dropped") {
    RunningServer server(echo);
    RawClient client(server.port());
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto request =
        head + "5\r\nhello\r\n1;ext=1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n";
    CHECK(client.ask(request).body == "POST hello 0123456789");
    for (const char c : request) REQUIRE(client.send({&c, 1}));
    CHECK(client.answer().body == "POST hello 0123456789");
    CHECK(client.ask(get("/")).body == "GET ");
}

TEST_CASE("a body of many megabytes streams through, by length and in chunks") {
    std::string sent(5u << 20, 'x');
    for (std::size_t i = 0; i < sent.size(); i += 1000) sent[i] = static_cast<char>(i % 251);
    base::Guarded<std::string> got;
    RunningServer server([&](http::Exchange& exchange, const base::Stop&) {
        std::string body(7777, 0), all;
        while (const auto n = exchange.read_body(body.data(), body.size())) all.append(body, 0, n);
        *got.lock() = all;
        exchange.send({.status = 201});
    });
    http::Client client;
    CHECK(client.send({.method = "PUT", .url = server.url(), .body = sent}, {}).status == 201);
    CHECK(*got.lock() == sent);
    got.lock()->clear();
    RawClient raw(server.port());
    raw.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (std::size_t at = 0; at < sent.size(); at += 100000)
        raw.send(http::render_chunk(std::string_view(sent).substr(at, 100000)));
    raw.send(http::render_chunk({}));
    CHECK(raw.answer().status == 201);
    CHECK(*got.lock() == sent);
}

TEST_CASE("100 Continue is said when the body is wanted, and only then") {
    RunningServer server([](http::Exchange& exchange, const base::Stop& stop) {
        if (exchange.head().path == "/no")
            exchange.send({.status = 403});
        else
            echo(exchange, stop);
    });
    RawClient wanted(server.port());
    wanted.send(
        "POST /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    CHECK(wanted.answer().status == 100);
    wanted.send("body");
    CHECK(wanted.answer().body == "POST body");

    RawClient unwanted(server.port());
    unwanted.send(
        "POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    const auto answer = unwanted.answer();
    CHECK(answer.status == 403);
    CHECK(answer.header("connection") == "close");
    CHECK(unwanted.is_closed());
}

TEST_CASE("HEAD gets the headers of GET, and the connection stays usable") {
    RunningServer server([](http::Exchange& exchange, const base::Stop&) {
        if (exchange.head().path == "/stream") {
            exchange.start(200, {});
            exchange.write("never seen");
            exchange.finish();
        } else {
            exchange.send({.status = 200, .body = "twelve bytes"});
        }
    });
    RawClient client(server.port());
    const auto answer = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer.header("content-length") == "12");
    CHECK(client.ask("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
    CHECK(client.ask(get("/")).body == "twelve bytes");
}

TEST_CASE("HTTP/1.0 is answered, with a close unless it asks for more") {
    RunningServer server([](http::Exchange& exchange, const base::Stop& stop) {
        if (exchange.head().path != "/stream") return echo(exchange, stop);
        exchange.start(200, {});
        exchange.write("un");
        exchange.write("chunked");
        exchange.finish();
    });
    RawClient once(server.port());
    CHECK(once.ask("GET / HTTP/1.0\r\n\r\n").header("connection") == "close");
    CHECK(once.is_closed());
    RawClient twice(server.port());
    const std::string keep = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    CHECK(twice.ask(keep).header("connection") == "keep-alive");
    CHECK(twice.ask(keep).status == 200);
    const auto stream = twice.ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(stream.header("transfer-encoding").empty());
    CHECK(stream.body == "unchunked");
}

TEST_CASE("a streamed answer arrives piece by piece") {
    base::StopSource seen;
    RunningServer server([&](http::Exchange& exchange, const base::Stop&) {
        exchange.start(200, {{"Content-Type", "text/plain"}});
        exchange.write("first\n");
        seen.stop().wait(10s); // the second piece comes after the first was received
        exchange.write("");
        exchange.write("second\n");
    });
    RawClient client(server.port());
    client.send(get("/"));
    REQUIRE(client.receive_until("first\n"));
    seen.request();
    const auto answer = client.answer();
    CHECK(answer.body == "first\nsecond\n");
    CHECK(answer.header("connection").empty());
    CHECK(client.ask(get("/")).status == 200);
}

TEST_CASE("what a handler throws is answered, and cuts an answer that had begun") {
    RunningServer server([](http::Exchange& exchange, const base::Stop&) {
        if (exchange.head().path == "/std") throw std::runtime_error("other");
        if (exchange.head().path == "/nothing") return;
        if (exchange.head().path == "/twice") {
            exchange.send({.status = 200, .body = "one"});
            exchange.send({.status = 200, .body = "two"});
        }
        if (exchange.head().path == "/begun") {
            exchange.start(200, {});
            exchange.write("half");
        }
        if (exchange.head().path == "/header") exchange.send({.headers = {{"A", "b\r\nC: d"}}});
        throw base::Error(base::ErrorKind::invalid_input, "no such thing");
    });
    RawClient client(server.port());
    CHECK(client.ask(get("/x")).body == "invalid_input: no such thing\n");
    CHECK(client.ask(get("/std")).status == 500);
    CHECK(client.ask(get("/nothing")).status == 500);
    CHECK(client.ask(get("/header")).status == 500);
    client.send(get("/begun"));
    const auto cut = client.receive_to_end();
    CHECK(cut.find("half") != cut.npos);
    CHECK_FALSE(cut.ends_with("0\r\n\r\n"));
    RawClient other(server.port());
    CHECK(other.ask(get("/twice")).body == "one");
}

TEST_CASE("a short body that nobody read does not disturb the next request") {
    RunningServer server([](http::Exchange& exchange, const base::Stop&) {
        exchange.send({.status = 200, .body = exchange.head().target});
    });
    RawClient client(server.port());
    CHECK(client.ask(post(std::string(20000, 'x'))).body == "/p");
    CHECK(client.ask(get("/next")).body == "/next");
    // A long one costs the connection, and its sender still reads the answer.
    REQUIRE(client.send("PUT /long HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n"));
    client.send(std::string(3000000, 'x'));
    const auto answer = client.answer();
    REQUIRE(answer);
    CHECK(answer.body == "/long");
    CHECK(answer.header("connection") == "close");
}

TEST_CASE("a body over the handler's limit is refused, announced or not") {
    RunningServer server([](http::Exchange& exchange, const base::Stop&) {
        const auto body = exchange.read_whole_body(10);
        exchange.send({.status = 200, .body = body});
    });
    RawClient client(server.port());
    CHECK(client.ask(post("0123456789")).body == "0123456789");
    CHECK(client.ask(post("0123456789a")).body.starts_with("limit_exceeded"));
    const auto chunked =
        client.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "14\r\n01234567890123456789\r\n0\r\n\r\n");
    CHECK(chunked.body.starts_with("limit_exceeded"));
}

TEST_CASE("a handler learns that its client has left") {
    base::StopSource begun, left;
    RunningServer server([&](http::Exchange& exchange, const base::Stop& stop) {
        if (!exchange.peer_left()) begun.request();
        stop.within(10s).wait_for(exchange.fd(), POLLRDHUP);
        if (exchange.peer_left()) left.request();
    });
    RawClient client(server.port());
    client.send(get("/"));
    REQUIRE(begun.stop().wait(10s));
    client.close();
    CHECK(left.stop().wait(10s));
}

TEST_CASE("a local socket says whose process asks, and the client finds it by its path") {
    const base::TempDir dir("http");
    const auto path = (dir.path() / "s.sock").string();
    base::Guarded<http::RequestHead> seen;
    RunningServer server(path, [&](http::Exchange& exchange, const base::Stop& stop) {
        *seen.lock() = exchange.head();
        echo(exchange, stop);
    });
    http::Client client({.unix_socket = path});
    const auto answer =
        client.send({.method = "POST", .url = "http://slipway/v1/x", .body = "hi"}, {});
    CHECK(answer.status == 200);
    CHECK(answer.body == "POST hi");
    CHECK(seen.lock()->peer_uid == ::getuid());
    CHECK(seen.lock()->peer.empty());
}

TEST_CASE("a stop lets the answer that has begun end, and takes no next request") {
    base::StopSource begun, go;
    RunningServer server([&](http::Exchange& exchange, const base::Stop& stop) {
        begun.request();
        base::Stop(go.stop()).wait(10s);
        exchange.send({.status = 200, .body = stop.requested() ? "cut" : "whole"});
    });
    RawClient client(server.port()), idle(server.port());
    client.send(get("/"));
    begun.stop().wait(10s);
    base::TaskGroup stopping;
    stopping.start([&](const base::Stop&) { server.stop(10s); });
    go.request();
    CHECK(client.answer().body == "whole");
    CHECK(client.is_closed());
    CHECK(idle.is_closed());
    stopping.join();
    CHECK_THROWS_AS(RawClient(server.port()), base::Error);
}

TEST_CASE("a handler that does not end is told to when the patience is over") {
    base::StopSource begun;
    RunningServer server([&](http::Exchange& exchange, const base::Stop& stop) {
        begun.request();
        while (!stop.wait(10s)) {
        }
        exchange.send({.status = 503});
    });
    RawClient client(server.port());
    client.send(get("/"));
    begun.stop().wait(10s);
    server.stop(10ms);
    SUCCEED("it ended");
}
