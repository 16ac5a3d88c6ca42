#include "http/server.h"

#include "http_peer.h"

#include <catch2/catch.hpp>

namespace {

// A client's frame: masked, in the length's shortest form.
std::string frame(int first_byte, const std::string& payload, bool masked = true) {
    std::string bytes(1, static_cast<char>(first_byte));
    const auto mask_bit = masked ? 0x80 : 0;
    if (payload.size() < 126) {
        bytes += static_cast<char>(mask_bit | static_cast<int>(payload.size()));
    } else {
        const bool wide = payload.size() > 0xffff;
        bytes += static_cast<char>(mask_bit | (wide ? 127 : 126));
        for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
            bytes += static_cast<char>(payload.size() >> shift & 0xff);
    }
    if (!masked) return bytes + payload;
    const std::string mask("\x12\x34\x56\x78");
    bytes += mask;
    for (std::size_t i = 0; i < payload.size(); ++i)
        bytes += static_cast<char>(payload[i] ^ mask[i % 4]);
    return bytes;
}

constexpr int fin = 0x80;
constexpr std::size_t longest = 100000;

base::ErrorKind kind_of(std::string bytes) {
    try {
        http::take_frame(bytes, longest);
    } catch (const base::Error& error) {
        return error.kind();
    }
    FAIL("it was taken");
    return {};
}

const std::string upgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n"
                            "Connection: keep-alive, Upgrade\r\n";

} // namespace

TEST_CASE("frames of every length are taken whole, and only then") {
    for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u}) {
        const std::string payload(size, 'p');
        const auto whole = frame(fin | 1, payload);
        for (const auto part : {std::size_t(0), std::size_t(1), std::size_t(5), whole.size() - 1}) {
            auto bytes = whole.substr(0, part);
            CHECK_FALSE(http::take_frame(bytes, longest));
            CHECK(bytes.size() == std::min(part, whole.size()));
        }
        auto bytes = whole + "rest";
        const auto taken = http::take_frame(bytes, longest);
        REQUIRE(taken);
        CHECK(taken->payload == payload);
        CHECK(bytes == "rest");
    }
}

TEST_CASE("fragments are put together, a ping between them is not lost") {
    auto bytes = frame(1, "one ") + frame(0, "two ") + frame(fin | 9, "ping") + frame(fin, "three");
    const auto ping = http::take_frame(bytes, longest);
    REQUIRE(ping);
    CHECK(ping->opcode == http::WebSocketOpcode::ping);
    CHECK(ping->payload == "ping");
    const auto text = http::take_frame(bytes, longest);
    REQUIRE(text);
    CHECK(text->opcode == http::WebSocketOpcode::text);
    CHECK(text->payload == "one two three");
    CHECK(bytes.empty());
}

TEST_CASE("what no client may send is refused") {
    using Kind = base::ErrorKind;
    CHECK(kind_of(frame(fin | 1, "x", false)) == Kind::invalid_input); // no mask
    CHECK(kind_of(frame(fin | 0x40 | 1, "x")) == Kind::invalid_input); // an extension's bit
    CHECK(kind_of(frame(fin | 3, "x")) == Kind::invalid_input);        // unknown
    CHECK(kind_of(frame(fin | 11, "x")) == Kind::invalid_input);
    CHECK(kind_of(frame(9, "x")) == Kind::invalid_input); // a ping in fragments
    CHECK(kind_of(frame(fin | 9, std::string(126, 'x'))) == Kind::invalid_input);
    CHECK(kind_of(frame(fin, "x")) == Kind::invalid_input); // continues nothing
    CHECK(kind_of(frame(1, "x") + frame(fin | 1, "y")) == Kind::invalid_input);
    CHECK(kind_of(std::string("\x81\xfe\x00\x05", 4)) == Kind::invalid_input); // a longer form
    CHECK(kind_of("\x81\xff" + std::string(8, '\xff')) == Kind::invalid_input);
}

TEST_CASE("a message past the limit is refused before it is there") {
    CHECK(kind_of(frame(fin | 1, std::string(longest + 1, 'x')).substr(0, 14)) ==
          base::ErrorKind::limit_exceeded);
    CHECK(kind_of(frame(1, std::string(60000, 'x')) + frame(0, std::string(60000, 'x'))) ==
          base::ErrorKind::limit_exceeded);
    std::string empty = frame(1, "");
    while (empty.size() < 2 * longest + 2000) empty += frame(0, "");
    CHECK(kind_of(empty) == base::ErrorKind::limit_exceeded);
}

TEST_CASE("a server's frame is unmasked and shortest") {
    CHECK(http::render_frame(http::WebSocketOpcode::text, "Hello") == "\x81\x05Hello"); // RFC 5.7
    const auto longer = http::render_frame(http::WebSocketOpcode::text, std::string(256, 'x'));
    CHECK(longer.substr(0, 4) == std::string("\x81\x7e\x01\x00", 4));
    const auto longest_form =
        http::render_frame(http::WebSocketOpcode::binary, std::string(65536, 'x'));
    CHECK(longest_form.substr(0, 10) == std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
}

TEST_CASE("a websocket is accepted with the key's proof, and echoes") {
    RunningServer server([](http::Exchange& exchange, const base::Stop& stop) {
        const auto connection = exchange.accept_websocket();
        if (!connection) return exchange.send({.status = 400, .body = "no websocket"});
        std::string bytes;
        for (;;) {
            char buffer[4096];
            const auto n = connection->try_read(buffer, sizeof buffer);
            if (!n) return;
            bytes.append(buffer, *n);
            if (const auto got = http::take_frame(bytes, 1000)) {
                connection->try_write(http::render_frame(got->opcode, "echo " + got->payload));
                return;
            }
            if (*n == 0 && !stop.wait_for(connection->fd(), connection->wants())) return;
        }
    });
    RawClient client(server.port());
    // The frame comes with the request: it is not lost.
    client.send(upgrade +
                "Sec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
                frame(fin | 1, "early"));
    const auto answer = client.answer(true);
    CHECK(answer.status == 101);
    CHECK(answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // RFC 1.3
    CHECK(answer.header("upgrade") == "websocket");
    CHECK(client.receive_to_end() == "\x81\x0a"
                                     "echo early");

    RawClient plain(server.port());
    CHECK(plain.ask("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").body == "no websocket");
    CHECK(plain.ask(upgrade + "Sec-WebSocket-Version: 8\r\n\r\n").status == 426);
    CHECK(plain.ask(upgrade + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n")
              .status == 400);
    server.stop();
    CHECK(server.server().connections() == 0);
}
