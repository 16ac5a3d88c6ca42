#include "http/client.h"
#include "http/server.h"

#include "http_peer.h"
#include "skip.h"

#include "base/process.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <cstdlib>

namespace {

void make_certificate(const base::TempDir& dir, const std::string& name) {
    const auto base = (dir.path() / name).string();
    const auto command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                         "-days 2 -subj /CN=" +
                         name + " -addext subjectAltName=IP:127.0.0.1 -keyout " + base +
                         ".key -out " + base + ".pem 2>/dev/null";
    REQUIRE(std::system(command.c_str()) == 0);
}

void echo(http::Exchange& exchange, const base::Stop&) {
    exchange.send(
        {.status = 200,
         .body = (exchange.head().tls ? "tls " : "plain ") + exchange.read_whole_body(8 << 20)});
}

} // namespace

TEST_CASE("HTTPS: bodies both ways, connections used again, other trust refused") {
    if (is_missing("openssl")) return;
    const base::TempDir dir("tls");
    make_certificate(dir, "one");
    make_certificate(dir, "two");
    RunningServer server(echo, {}, http::ServerTls{dir.path() / "one.pem", dir.path() / "one.key"});
    const auto url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
    http::Client client({.ca_file = dir.path() / "one.pem"});
    std::string body(3u << 20, 'b');
    for (std::size_t i = 0; i < body.size(); i += 777) body[i] = static_cast<char>('c' + i % 20);
    for (int i = 0; i < 3; ++i)
        CHECK(client.send({.method = "POST", .url = url, .body = body}, {}).body.substr(4) == body);
    CHECK(server.server().connections() == 1);
    http::Client other({.ca_file = dir.path() / "two.pem"});
    try {
        other.send({.url = url}, {});
        FAIL("trusted");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::denied);
    }

    // A renewed certificate is taken up without a restart; a broken one is not.
    std::filesystem::copy_file(dir.path() / "two.pem", dir.path() / "one.pem",
                               std::filesystem::copy_options::overwrite_existing);
    http::Client old({.ca_file = dir.path() / "two.pem"});
    CHECK_THROWS_AS(old.send({.url = url}, {}), base::Error); // the key does not fit yet
    std::filesystem::copy_file(dir.path() / "two.key", dir.path() / "one.key",
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(old.send({.url = url}, {}).status == 200);
}

TEST_CASE("TLS 1.1 and plain HTTP get nothing on a TLS port") {
    if (is_missing("openssl") || is_missing("curl")) return;
    const base::TempDir dir("tls");
    make_certificate(dir, "one");
    RunningServer server(echo, {}, http::ServerTls{dir.path() / "one.pem", dir.path() / "one.key"});
    const auto connect = "openssl s_client -connect 127.0.0.1:" + std::to_string(server.port()) +
                         " </dev/null >/dev/null 2>&1 -cipher DEFAULT@SECLEVEL=0 ";
    CHECK(std::system((connect + "-tls1_2").c_str()) == 0);
    CHECK(std::system((connect + "-tls1_3").c_str()) == 0);
    CHECK(std::system((connect + "-tls1_1").c_str()) != 0);
    CHECK(
        std::system(("curl -s --cacert " + (dir.path() / "one.pem").string() +
                     " https://127.0.0.1:" + std::to_string(server.port()) + "/ | grep -q '^tls '")
                        .c_str()) == 0);
    RawClient plain(server.port());
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto said = plain.receive_to_end();
    CHECK(said.find("HTTP") == said.npos);
}

TEST_CASE("a certificate and a key that do not fit are refused at the start") {
    if (is_missing("openssl")) return;
    const base::TempDir dir("tls");
    make_certificate(dir, "one");
    make_certificate(dir, "two");
    const auto start = [&](const char* certificate, const char* key) {
        http::Server::Settings settings;
        settings.tls = http::ServerTls{dir.path() / certificate, dir.path() / key};
        http::Server server(base::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                            std::move(settings));
    };
    CHECK_NOTHROW(start("one.pem", "one.key"));
    CHECK_THROWS_AS(start("one.pem", "two.key"), base::Error);
    CHECK_THROWS_AS(start("none.pem", "one.key"), base::Error);
    CHECK_THROWS_AS(start("one.key", "one.key"), base::Error);
}
