#include "http/server.h"

#include "http_peer.h"

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

void echo(http::Exchange& exchange, const base::Stop&) {
    exchange.send({.status = 200, .body = exchange.read_whole_body(1 << 20)});
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Hostile {
    const char* what;
    std::string bytes;
    int status;
};

} // namespace

TEST_CASE("requests that two servers could read in two ways are refused, and the connection ends") {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    const std::string smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::vector<Hostile> table{
        {"length and chunks", post + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"chunks and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n",
         400},
        {"two lengths", post + "Content-Length: 6\r\nContent-Length: 0\r\n\r\n", 400},
        {"two equal lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"a list of lengths", post + "Content-Length: 3, 3\r\n\r\nabc", 400},
        {"a signed length", post + "Content-Length: +3\r\n\r\nabc", 400},
        {"a negative length", post + "Content-Length: -1\r\n\r\n", 400},
        {"a length in hexadecimal", post + "Content-Length: 0x3\r\n\r\nabc", 400},
        {"an endless length", post + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
        {"an empty length", post + "Content-Length: \r\n\r\n", 400},
        {"a space before the colon", post + "Content-Length : 3\r\n\r\nabc", 400},
        {"a coding before chunks", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"another coding", post + "Transfer-Encoding: identity\r\n\r\n", 501},
        {"chunks twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
        {"an odd name of chunks", post + "Transfer-Encoding: xchunked\r\n\r\n", 501},
        {"two codings", post + "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 505},
        {"a line feed in a header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
        {"a NUL in a header", std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 28), 400},
        {"a NUL in the target", std::string("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 30), 400},
        {"no name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
        {"a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
        {"another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"no version", "GET /\r\n\r\n", 400},
        {"TLS on a plain port", "\x16\x03\x01\x02" + std::string(200, 'x'), 400},
        {"a target that is no path", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"a CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"a broken escape in the query", "GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"a NUL in the query", "GET /?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"another expectation", post + "Expect: wonders\r\nContent-Length: 1\r\n\r\nx", 417},
    };
    RunningServer server(echo);
    for (const auto& [what, bytes, status] : table) {
        INFO(what);
        RawClient client(server.port());
        client.send(bytes + smuggled);
        CHECK(client.answer().status == status);
        CHECK(client.is_closed()); // and nothing of what followed was taken for a request
    }
    server.stop();
    for (const auto& [status, target] : server.answers()) CHECK(target != "/smuggled");
}

TEST_CASE("a chunked body that is none is refused") {
    RunningServer server(echo);
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string body : {"zz\r\n", "-1\r\n", "5\r\nhelloXX0\r\n\r\n",
                                   "fffffffffffffffffff\r\n", "5\nhello\r\n", "5 hello\r\n\r\n",
                                   "1;"
                                   "\x01"
                                   "\r\nx\r\n",
                                   "0\r\nbad trailer\r\n\r\n"}) {
        INFO(body);
        RawClient client(server.port());
        client.send(head + body);
        CHECK(client.answer().status == 400);
        CHECK(client.is_closed());
    }
    RawClient endless(server.port());
    endless.send(head + "5;" + std::string(100000, 'e'));
    CHECK(endless.answer().status == 400);
}

TEST_CASE("headers past the limit are refused, however they come") {
    RunningServer server(echo, {.header_bytes = 2000});
    for (const auto& flood :
         {"GET /" + std::string(3000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(3000, 'b') + "\r\n\r\n",
          std::string(3000, 'G')}) {
        RawClient client(server.port());
        client.send(flood);
        CHECK(client.answer().status == 431);
        CHECK(client.is_closed());
    }
    std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 500; ++i) many += "X: y\r\n";
    RawClient client(server.port());
    client.send(many + "\r\n");
    CHECK(client.answer().status == 431);
}

TEST_CASE("a head that comes a byte at a time ends with its connection") {
    RunningServer server(echo, {.header_time = 300ms});
    RawClient client(server.port());
    const auto began = std::chrono::steady_clock::now();
    for (const char c : get) {
        client.send({&c, 1});
        if (base::Stop().within(50ms).wait_for(client.fd(), POLLIN)) break;
    }
    CHECK(client.answer().status == 408);
    CHECK(client.is_closed());
    CHECK(std::chrono::steady_clock::now() - began < 8s);
    RawClient silent(server.port());
    CHECK(silent.is_closed());
}

TEST_CASE("a body slower than the least rate ends with its connection") {
    RunningServer server(echo, {.stall_time = 300ms, .least_body_rate = 1000});
    for (const std::string framing :
         {"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"}) {
        RawClient client(server.port());
        client.send("POST / HTTP/1.1\r\nHost: a\r\n" + framing);
        for (int i = 0; i < 200; ++i) {
            client.send(framing.starts_with("C") ? "x" : "1\r\nx\r\n");
            if (base::Stop().within(50ms).wait_for(client.fd(), POLLIN)) break;
        }
        CHECK(client.answer().status == 408);
        CHECK(client.is_closed());
    }
}

TEST_CASE("a slow client is told so, whatever the handler makes of its failure") {
    const auto careless = [](http::Exchange& exchange, const base::Stop&) {
        try {
            exchange.read_whole_body(1000);
            exchange.send({.status = 200});
        } catch (const base::Error&) {
            exchange.send({.status = 504});
        }
    };
    RunningServer server(careless, {.stall_time = 300ms, .least_body_rate = 1000});
    RawClient client(server.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx");
    CHECK(client.answer().status == 408);
    CHECK(client.is_closed());
}

TEST_CASE("a client that takes nothing of its answer does not hold a thread for ever") {
    RunningServer server(
        [](http::Exchange& exchange, const base::Stop&) {
            exchange.send({.status = 200, .body = std::string(64u << 20, 'x')});
        },
        {.stall_time = 300ms});
    RawClient client(server.port());
    client.send(get);
    REQUIRE(client.receive());
    for (int i = 0; i < 100 && server.server().connections() > 0; ++i) base::Stop().wait(50ms);
    CHECK(server.server().connections() == 0);
}

TEST_CASE("an idle connection is closed without a word") {
    RunningServer server(echo, {.idle_time = 200ms});
    RawClient client(server.port());
    CHECK(client.ask(get).status == 200);
    CHECK(client.is_closed());
}

TEST_CASE("connections past the limits get 503, and a place once one is free") {
    RunningServer server(echo, {.connections = 3});
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(server.port()));
        REQUIRE(clients.back()->ask(get).status == 200);
    }
    RawClient fourth(server.port());
    CHECK(fourth.answer().status == 503);
    CHECK(fourth.is_closed());
    clients.pop_back();
    int status = 503;
    for (int i = 0; i < 100 && status != 200; ++i)
        status = RawClient(server.port()).ask(get).status;
    CHECK(status == 200);

    RunningServer narrow(echo, {.connections_of_one_address = 1});
    RawClient first(narrow.port());
    CHECK(first.ask(get).status == 200);
    CHECK(RawClient(narrow.port()).answer().status == 503);
}

TEST_CASE("clients that go in the middle of everything leave nothing behind") {
    RunningServer server(
        [](http::Exchange& exchange, const base::Stop&) {
            exchange.start(200, {});
            exchange.write(exchange.read_whole_body(1 << 20));
            for (int i = 0; i < 100; ++i) exchange.write(std::string(100000, 'x'));
        },
        {.stall_time = 5s});
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    for (int i = 0; i < 40; ++i) {
        RawClient client(server.port());
        client.send(head.substr(0, static_cast<std::size_t>(i) * 2));
        if (i > 30) client.send("hello");
        if (i > 35) client.receive();
        i % 2 ? client.abort() : client.close();
    }
    for (int i = 0; i < 100 && server.server().connections() > 0; ++i) base::Stop().wait(50ms);
    CHECK(server.server().connections() == 0);
}

TEST_CASE("a shortage of descriptors is waited out: every one of 200 clients is answered") {
    RunningServer server(echo, {.header_time = 20s});
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    // The clients live in a child: the limit is the server's alone.
    const pid_t child = ::fork();
    if (child == 0) {
        std::vector<std::unique_ptr<RawClient>> clients;
        int answered = 0;
        for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<RawClient>(server.port()));
        for (auto& client : clients)
            client->send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        for (auto& client : clients) {
            answered += client->answer().status == 200;
            client.reset();
        }
        ::_exit(answered == 200 ? 0 : 1);
    }
    rlimit low = before;
    low.rlim_cur = 60;
    ::setrlimit(RLIMIT_NOFILE, &low);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
