// The websocket that Scalingo's client reads, from a client that keeps to no manners.
#include "api_site.h"

#include "base/fd.h"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

class Client {
  public:
    Client(const ApiSite& site, const std::string& app)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port =
            htons(static_cast<std::uint16_t>(std::stoi(site.url.substr(site.url.rfind(':') + 1))));
        const timeval patience{60, 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
            base::throw_errno("could not connect");
        base::write_all(socket_.get(), "GET /v1/apps/" + app +
                                           "/deployments/stream HTTP/1.1\r\nHost: x\r\n"
                                           "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                           "Sec-WebSocket-Version: 13\r\n"
                                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        while (in_.find("\r\n\r\n") == in_.npos && read_more()) {
        }
        in_.erase(0, in_.find("\r\n\r\n") + 4);
    }

    void send(int opcode, const std::string& payload) {
        base::write_all(socket_.get(), frame(opcode, payload));
    }
    void send_bytes(const std::string& bytes) { base::write_all(socket_.get(), bytes); }
    // Opcode and payload of the next frame; -1 at the end.
    std::pair<int, std::string> next() {
        for (;;) {
            std::size_t head = 2, size = in_.size() < 2 ? 0 : in_[1] & 0x7f;
            if (size == 126 && in_.size() >= 4) {
                head = 4;
                size =
                    static_cast<unsigned char>(in_[2]) * 256u + static_cast<unsigned char>(in_[3]);
            }
            if (in_.size() >= head && in_.size() >= head + size && in_.size() >= 2) {
                std::pair<int, std::string> frame{in_[0] & 0x0f, in_.substr(head, size)};
                in_.erase(0, head + size);
                return frame;
            }
            if (!read_more()) return {-1, ""};
        }
    }
    // A mask of zeros is one.
    static std::string frame(int opcode, const std::string& payload) {
        return std::string{static_cast<char>(0x80 | opcode),
                           static_cast<char>(0x80 | payload.size()),
                           0,
                           0,
                           0,
                           0} +
               payload;
    }

  private:
    bool read_more() {
        char buffer[65536];
        const auto n = ::recv(socket_.get(), buffer, sizeof buffer, 0);
        if (n > 0) in_.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }
    base::UniqueFd socket_;
    std::string in_;
};

struct StreamSite : ApiSite {
    StreamSite() {
        store->add_app({"shop", 1});
        add_build("shop");
        token = add_token("ann", {"app:shop:read"});
    }
    std::string token;
};

} // namespace

TEST_CASE("a reader of deployments that pings without end is owed the newest pong alone") {
    StreamSite site;
    Client client(site, "shop");
    client.send(1, R"({"type":"auth","data":{"token":")" + site.token + R"("}})");
    CHECK(client.next().second.find("\"new\"") != std::string::npos);
    constexpr int pings = 20'000;
    std::string flood;
    for (int i = 1; i <= pings; ++i)
        flood += Client::frame(9, std::string(90, 'x') + std::to_string(i));
    for (std::size_t at = 0; at < flood.size(); at += 1u << 20)
        client.send_bytes(flood.substr(at, 1u << 20));
    int pongs = 0;
    for (;;) {
        const auto [opcode, payload] = client.next();
        REQUIRE(opcode != -1);
        if (opcode != 10) continue;
        ++pongs;
        if (payload.ends_with("x" + std::to_string(pings))) break;
    }
    CHECK(pongs < pings / 10);
}

TEST_CASE("a reader of deployments without a token that may read is told nothing") {
    StreamSite site;
    site.store->add_app({"blog", 1});
    for (const auto& token : {site.add_token("bob", {"app:blog:read"}), std::string("slw_wrong")}) {
        Client client(site, "shop");
        client.send(1, R"({"type":"auth","data":{"token":")" + token + R"("}})");
        const auto [opcode, payload] = client.next();
        CHECK(opcode == 8);
        CHECK(payload == "\x03\xf0");
        CHECK(client.next().first == -1);
    }
}
