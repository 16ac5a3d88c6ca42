#include "log_hub.h"

#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

using namespace std::chrono_literals;

namespace {

class PairedConnection : public http::Connection {
  public:
    explicit PairedConnection(base::UniqueFd socket) : socket_(std::move(socket)) {}
    int fd() const noexcept override { return socket_.get(); }
    std::optional<std::size_t> try_write(std::string_view bytes) noexcept override {
        const auto n = ::send(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return result(n, n < 0);
    }
    std::optional<std::size_t> try_read(char* buffer, std::size_t size) noexcept override {
        const auto n = ::recv(fd(), buffer, size, MSG_DONTWAIT);
        return result(n, n <= 0);
    }
    short wants() const noexcept override { return POLLIN | POLLOUT; }
    void shut_down() noexcept override { ::shutdown(fd(), SHUT_WR); }

  private:
    static std::optional<std::size_t> result(ssize_t n, bool failed) {
        if (!failed) return static_cast<std::size_t>(n);
        if (n < 0 && errno == EAGAIN) return 0;
        return std::nullopt;
    }
    base::UniqueFd socket_;
};

// The reader's end.
class Client {
  public:
    Client() : ends_(base::make_socket_pair()) {}
    std::unique_ptr<http::Connection> connection() {
        return std::make_unique<PairedConnection>(std::move(ends_.second));
    }
    bool receive() {
        if (!base::Stop().within(10s).wait_for(ends_.first.get(), POLLIN)) return false;
        char buffer[65536];
        const auto n = ::recv(ends_.first.get(), buffer, sizeof buffer, 0);
        if (n > 0) received.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }
    bool receive_until(const std::string& text) {
        while (received.find(text) == received.npos)
            if (!receive()) return false;
        return true;
    }
    const std::string& receive_to_end() {
        while (receive()) {
        }
        return received;
    }
    // Although nothing of what came was read.
    bool is_hung_up() const {
        pollfd end{ends_.first.get(), POLLRDHUP, 0};
        return ::poll(&end, 1, 0) == 1 && (end.revents & (POLLRDHUP | POLLHUP)) != 0;
    }
    void send(const std::string& bytes) { base::write_all(ends_.first.get(), bytes); }
    void close() { ends_.first.reset(); }
    std::string received;

  private:
    std::pair<base::UniqueFd, base::UniqueFd> ends_;
};

struct Growing {
    base::TempDir directory{"hub"};
    std::filesystem::path file = directory.path() / "b.log";
    std::shared_ptr<server::BuildLog> log = std::make_shared<server::BuildLog>(file, 64u << 20);
    server::LogReader reader(Client& client, server::LogFormat format = server::text_log_format(),
                             server::LogFraming framing = server::LogFraming::plain,
                             std::uint64_t offset = 0) {
        return {.connection = client.connection(),
                .framing = framing,
                .log = log,
                .offset = offset,
                .format = std::move(format)};
    }
};

// Whether it comes true within ten seconds; no figure depends on how soon.
bool comes_true(const std::function<bool()>& condition) {
    for (int i = 0; i < 1000; ++i)
        if (condition() || base::Stop().wait(10ms)) return true;
    return false;
}

} // namespace

TEST_CASE("every follower gets the whole log, from wherever it begins, and its end") {
    Growing build;
    server::LogHub hub;
    build.log->append("one");
    Client whole, later, chunked;
    hub.add(build.reader(whole));
    hub.add(build.reader(later, server::text_log_format(), server::LogFraming::plain, 4));
    hub.add(build.reader(chunked, server::text_log_format(), server::LogFraming::chunked));
    REQUIRE(whole.receive_until("one\n"));
    REQUIRE(chunked.receive_until("4\r\none\n\r\n"));
    build.log->append("two");
    REQUIRE(whole.receive_until("two\n"));
    REQUIRE(later.receive_until("two\n"));
    CHECK(hub.readers() == 3);
    build.log->finish();
    CHECK(whole.receive_to_end() == "one\ntwo\n");
    CHECK(later.receive_to_end() == "two\n");
    CHECK(chunked.receive_to_end() == "4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n");
    whole.close();
    later.close();
    chunked.close();
    CHECK(comes_true([&] { return hub.readers() == 0; }));
}

TEST_CASE("events carry the offset after them, and the build comes last") {
    Growing build;
    server::LogHub hub;
    build.log->append("a");
    build.log->append("b");
    build.log->finish();
    Client client;
    hub.add(build.reader(client, server::event_log_format([] { return R"({"id":"7"})"; })));
    CHECK(client.receive_to_end() == "id: 4\nevent: log\ndata: a\ndata: b\n\n"
                                     "event: build\ndata: {\"id\":\"7\"}\n\n");
}

TEST_CASE("the log of a build that has ended is read from its file") {
    Growing build;
    std::string expected;
    for (int i = 0; i < 20000; ++i) {
        build.log->append("line " + std::to_string(i));
        expected += "line " + std::to_string(i) + "\n";
    }
    build.log->finish();
    server::LogHub hub;
    Client client, nothing;
    auto reader = build.reader(client);
    reader.log.reset();
    reader.file = build.file;
    hub.add(std::move(reader));
    auto missing = build.reader(nothing);
    missing.log.reset();
    missing.file = build.directory.path() / "none.log";
    hub.add(std::move(missing));
    CHECK(client.receive_to_end() == expected);
    CHECK(nothing.receive_to_end().empty());
}

TEST_CASE("a follower that does not read delays nobody, and loses nothing") {
    Growing build;
    server::LogHub hub;
    Client slow, quick;
    hub.add(build.reader(slow));
    hub.add(build.reader(quick));
    std::string expected;
    for (int i = 0; i < 5000; ++i) {
        const std::string line(500, static_cast<char>('a' + i % 26));
        build.log->append(line);
        expected += line + "\n";
    }
    build.log->finish();
    REQUIRE(quick.receive_to_end() == expected); // more than the slow one's socket holds
    CHECK(slow.receive_to_end() == expected);
}

TEST_CASE("a follower that leaves is forgotten, also one that leaves in the middle of a piece") {
    Growing build;
    server::LogHub hub;
    Client early, stuck;
    hub.add(build.reader(early));
    hub.add(build.reader(stuck));
    REQUIRE(comes_true([&] { return hub.readers() == 2; }));
    early.close();
    CHECK(comes_true([&] { return hub.readers() == 1; }));
    for (int i = 0; i < 5000; ++i) build.log->append(std::string(500, 'x'));
    REQUIRE(stuck.receive());
    stuck.close();
    CHECK(comes_true([&] { return hub.readers() == 0; }));
}

TEST_CASE("a silent log is kept alive: a comment among events, a ping on a websocket") {
    Growing build;
    server::LogHub hub({.heartbeat = 30ms});
    Client events, socket;
    hub.add(build.reader(events, server::event_log_format({})));
    hub.add(build.reader(socket, server::text_log_format(), server::LogFraming::websocket));
    CHECK(events.receive_until(": keep-alive\n\n"));
    CHECK(socket.receive_until(std::string("\x89\0", 2)));
}

TEST_CASE("a reader that takes nothing for too long is let go") {
    Growing build;
    server::LogHub hub({.heartbeat = 30ms, .patience = 60ms});
    Client stuck;
    hub.add(build.reader(stuck));
    for (int i = 0; i < 5000; ++i) build.log->append(std::string(500, 'x'));
    CHECK(comes_true([&] { return stuck.is_hung_up(); }));
    CHECK(comes_true([&] { return hub.readers() == 0; }));
    const auto taken = stuck.receive_to_end().size();
    CHECK(taken > 0);
    CHECK(taken < 5000 * 501);
}

TEST_CASE("a websocket's pings are answered, its close ends it, the log's end closes it") {
    Growing build;
    server::LogHub hub;
    Client one, other;
    hub.add(build.reader(one, server::text_log_format(), server::LogFraming::websocket));
    hub.add(build.reader(other, server::text_log_format(), server::LogFraming::websocket));
    one.send(std::string("\x89\x82\0\0\0\0hi", 8));
    CHECK(one.receive_until("\x8a\x02hi"));
    one.send(std::string("\x88\x80\0\0\0\0", 6));
    CHECK(comes_true([&] { return hub.readers() == 1; }));
    build.log->append("x");
    build.log->finish();
    CHECK(other.receive_to_end() == "\x81\x02x\n\x88\x02\x03\xe8");
}

TEST_CASE("what nobody may send on a websocket ends it") {
    Growing build;
    server::LogHub hub;
    Client client;
    hub.add(build.reader(client, server::text_log_format(), server::LogFraming::websocket));
    client.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(client.receive_to_end().empty());
    CHECK(comes_true([&] { return hub.readers() == 0; }));
}

TEST_CASE("followers at one place share one rendered piece") {
    Growing build;
    server::LogHub hub;
    std::atomic<int> rendered = 0;
    auto format = server::text_log_format();
    format.render = [&](const server::LogPiece& piece) {
        ++rendered;
        return piece.text;
    };
    build.log->append("shared");
    build.log->finish();
    std::vector<Client> clients(50);
    for (auto& client : clients) hub.add(build.reader(client, format));
    for (auto& client : clients) CHECK(client.receive_to_end() == "shared\n");
    CHECK(rendered < 50);
}
