// What registries do on a bad day, and what stolen credentials cost others.
#include "registry/repository.h"

#include "fake_server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
using image::Digest;

namespace {

using Request = FakeServer::Request;
const auto answer = &FakeServer::answer;

registry::Settings quick(int attempts = 3) {
    registry::Settings settings;
    settings.attempts = attempts;
    settings.first_backoff = 1ms;
    settings.stall_timeout = 2s;
    return settings;
}

registry::Settings with_login(const std::string& host) {
    auto settings = quick();
    settings.credentials[host] = {"me", base::Secret("pass")};
    return settings;
}
const std::string basic = "Basic bWU6cGFzcw==";

template <class Call>
base::Error error_of(Call&& call) {
    try {
        call();
    } catch (const base::Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    throw std::logic_error("unreachable");
}

const std::string manifest =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"})";
const std::string bytes = "the bytes of a blob";
const image::Descriptor blob{"application/octet-stream", Digest::of(bytes), bytes.size()};

std::string read(image::BlobStore& store, const base::Stop& stop = {}) {
    std::string got;
    store.read_blob(
        blob, [&](std::string_view part) { got += part; }, stop);
    return got;
}

std::string token_challenge(const std::string& realm) {
    return answer(401, {"WWW-Authenticate: Bearer realm=\"" + realm + "\",service=\"s\""}, "");
}

// A registry that takes one upload, with a hook before each answer.
struct Uploads {
    std::function<std::string(const Request&)> before = [](const Request&) { return ""; };
    base::Guarded<std::string> stored;
    FakeServer server{[this](const Request& request) -> std::string {
        if (auto early = before(request); !early.empty()) return early == "close" ? "" : early;
        if (request.method == "HEAD" && stored.lock()->empty()) return answer(404, {}, "");
        if (request.method == "HEAD")
            return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) +
                   "\r\n\r\n";
        if (request.method == "POST") return answer(202, {"Location: /v2/a/up/1?_state=x%2By"}, "");
        *stored.lock() = request.body;
        return answer(201, {}, "");
    }};
};

} // namespace

TEST_CASE("a registry that stumbles is asked again") {
    for (const int status : {500, 502, 503, 504, 408, 429}) {
        INFO(status);
        base::Guarded<int> count(0);
        FakeServer server([&](const Request&) {
            return ++*count.lock() < 3 ? answer(status, {}, "oops") : answer(200, {}, manifest);
        });
        const auto store = registry::open_repository(server.host(), "a", quick());
        const auto raw = store->read_manifest("v1", {});
        REQUIRE(raw);
        CHECK(raw->bytes == manifest);
        CHECK(server.requests().size() == 3);
    }
}

TEST_CASE("a registry that stays down is given up, with its own words cut and made printable") {
    FakeServer server([](const Request&) {
        return answer(503, {},
                      R"({"errors":[{"code":"UNAVAILABLE","message":"\u001b[2Jsorry )" +
                          std::string(5000, 'x') + R"("}]})");
    });
    const auto store = registry::open_repository(server.host(), "a", quick(4));
    const auto error = error_of([&] { store->read_manifest("v1", {}); });
    CHECK(error.kind() == base::ErrorKind::unavailable);
    CHECK(error.message().find("UNAVAILABLE") != std::string::npos);
    CHECK(error.message().find('\x1b') == std::string::npos);
    CHECK(error.message().size() < 600);
    CHECK(server.requests().size() == 4);
}

TEST_CASE("refusals are not repeated") {
    for (const auto& [status, kind] :
         {std::pair{400, base::ErrorKind::invalid_input},
          std::pair{401, base::ErrorKind::unauthenticated}, std::pair{403, base::ErrorKind::denied},
          std::pair{413, base::ErrorKind::limit_exceeded}}) {
        FakeServer server([status = status](const Request&) {
            return answer(status, {}, R"({"errors":[{"code":"NO","message":"never"}]})");
        });
        const auto store = registry::open_repository(server.host(), "a", quick());
        const auto error = error_of([&] { store->read_manifest("v1", {}); });
        CHECK(error.kind() == kind);
        CHECK(error.message().find("NO: never") != std::string::npos);
        CHECK(server.requests().size() == 1);
    }
}

TEST_CASE("Retry-After is waited for") {
    base::Guarded<int> count(0);
    FakeServer server([&](const Request&) {
        return ++*count.lock() == 1 ? answer(429, {"Retry-After: 1"}, "")
                                    : answer(200, {}, manifest);
    });
    const auto store = registry::open_repository(server.host(), "a", quick());
    const auto start = std::chrono::steady_clock::now();
    CHECK(store->read_manifest("v1", {}));
    CHECK(std::chrono::steady_clock::now() - start >= 1s);
}

TEST_CASE("a stop ends the wait for a registry that asks for hours") {
    base::StopSource source;
    FakeServer server([&](const Request&) {
        source.request();
        return answer(429, {"Retry-After: 7200"}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", quick());
    const auto error = error_of([&] { store->read_manifest("v1", source.stop()); });
    CHECK(error.kind() == base::ErrorKind::cancelled);
}

TEST_CASE("a stop ends a download that stalls") {
    base::StopSource source;
    FakeServer server([&](const Request&) {
        source.request();
        return FakeServer::hang();
    });
    const auto store = registry::open_repository(server.host(), "a", quick());
    CHECK(error_of([&] { read(*store, source.stop()); }).kind() == base::ErrorKind::cancelled);
}

TEST_CASE("a token is fetched once for each scope and again when it is refused") {
    base::Guarded<int> issued(0), refusals(0);
    FakeServer tokens([&](const Request&) {
        const int n = ++*issued.lock();
        return answer(200, {}, "{\"access_token\":\"t" + std::to_string(n) + "\"}");
    });
    FakeServer server([&](const Request& request) {
        const auto sent = request.header("authorization");
        if (sent.empty()) return token_challenge(tokens.url("/token?old=1"));
        if (sent == "Bearer t1" && ++*refusals.lock() == 3)
            return token_challenge(tokens.url("/token?old=1"));
        return answer(200, {}, manifest);
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    for (int i = 0; i < 5; ++i) CHECK(store->read_manifest("v1", {}));
    const auto asked = tokens.requests();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].target == "/token?old=1&service=s&scope=repository%3Aa%3Apull");
    CHECK(asked[0].header("authorization") == basic); // the same host, and plain HTTP either way
    CHECK(server.requests().size() == 7);
}

TEST_CASE("a token that does not help is a refusal, not a loop") {
    FakeServer tokens([](const Request&) { return answer(200, {}, R"({"token":"useless"})"); });
    FakeServer server([&](const Request&) { return token_challenge(tokens.url()); });
    const auto store = registry::open_repository(server.host(), "a", quick(5));
    CHECK(error_of([&] { store->read_manifest("v1", {}); }).kind() ==
          base::ErrorKind::unauthenticated);
    CHECK(server.requests().size() == 2);
    CHECK(tokens.requests().size() == 1);
}

TEST_CASE("credentials go to no token server on another host") {
    FakeServer elsewhere([](const Request&) { return answer(200, {}, R"({"token":"T"})"); },
                         "127.0.0.2");
    FakeServer server([&](const Request&) { return token_challenge(elsewhere.url()); });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(error_of([&] { store->read_manifest("v1", {}); }).kind() == base::ErrorKind::denied);
    CHECK(elsewhere.requests().empty());
}

TEST_CASE("a token server that redirects, floods or talks nonsense gives no token") {
    for (const std::string& reply :
         {answer(302, {"Location: http://127.0.0.2/"}, ""),
          answer(200, {}, "{\"token\":\"" + std::string(100000, 'x') + "\"}"),
          answer(200, {}, "[]"), answer(200, {}, "{}"), answer(200, {}, "<html>"),
          answer(404, {}, "")}) {
        INFO(reply.substr(0, 60));
        FakeServer tokens([&](const Request&) { return reply; });
        FakeServer server([&](const Request&) { return token_challenge(tokens.url()); });
        const auto store = registry::open_repository(server.host(), "a", quick(1));
        CHECK_THROWS_AS(store->read_manifest("v1", {}), base::Error);
        CHECK(tokens.requests().size() == 1);
    }
}

TEST_CASE("a name and a password are sent only to a registry that asks for them") {
    FakeServer server([](const Request& request) {
        return request.header("authorization") == basic
                   ? answer(200, {}, manifest)
                   : answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(store->read_manifest("v1", {}));
    CHECK(store->read_manifest("v1", {}));
    CHECK(server.requests().at(0).header("authorization").empty());
    CHECK(server.requests().size() == 3);
    auto wrong = with_login(server.host());
    wrong.credentials[server.host()].password = base::Secret("wrong");
    const auto other = registry::open_repository(server.host(), "a", wrong);
    const auto error = error_of([&] { other->read_manifest("v1", {}); });
    CHECK(error.kind() == base::ErrorKind::unauthenticated);
    CHECK(error.describe().find("wrong") == std::string::npos);
    CHECK(server.requests().size() == 5);
}

TEST_CASE("a redirect to another host carries no credentials") {
    FakeServer objects([](const Request&) { return answer(200, {}, bytes); }, "127.0.0.2");
    FakeServer server([&](const Request& request) {
        if (request.header("authorization").empty())
            return answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
        return answer(307, {"Location: " + objects.url("/signed?key=1")}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(read(*store) == bytes);
    REQUIRE(objects.requests().size() == 1);
    CHECK(objects.requests()[0].header("authorization").empty());
    CHECK(objects.requests()[0].target == "/signed?key=1");
}

TEST_CASE("redirects without end and to other schemes are refused") {
    for (const char* location : {"/again", "file:///etc/passwd", "ftp://127.0.0.1/", ""}) {
        INFO(location);
        FakeServer server([&](const Request&) {
            return answer(307, {std::string("Location: ") + location}, "");
        });
        const auto store = registry::open_repository(server.host(), "a", quick(1));
        CHECK_THROWS_AS(read(*store), base::Error);
        CHECK(server.requests().size() <= 6);
    }
}

TEST_CASE("a manifest that is not the one asked for is refused") {
    FakeServer other([](const Request&) { return answer(200, {}, manifest); });
    const auto store = registry::open_repository(other.host(), "a", quick());
    CHECK_THROWS_AS(store->read_manifest(Digest::of("another").render(), {}), base::Error);
    FakeServer liar([](const Request&) {
        return answer(200, {"Docker-Content-Digest: " + Digest::of("another").render()}, manifest);
    });
    CHECK_THROWS_AS(registry::open_repository(liar.host(), "a", quick())->read_manifest("v1", {}),
                    base::Error);
    FakeServer flood([](const Request&) { return answer(200, {}, std::string(5u << 20, ' ')); });
    CHECK(error_of([&] {
              registry::open_repository(flood.host(), "a", quick())->read_manifest("v1", {});
          }).kind() == base::ErrorKind::limit_exceeded);
}

TEST_CASE("a download that breaks off goes on where it ended") {
    for (const bool heeds_range : {true, false}) {
        INFO(heeds_range);
        base::Guarded<int> count(0);
        FakeServer server([&](const Request& request) -> std::string {
            if (++*count.lock() == 1)
                return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) +
                       "\r\nConnection: close\r\n\r\n" + bytes.substr(0, 7);
            if (heeds_range && request.header("range") == "bytes=7-")
                return answer(206, {}, bytes.substr(7));
            return answer(200, {}, bytes);
        });
        const auto store = registry::open_repository(server.host(), "a", quick());
        CHECK(read(*store) == bytes);
        CHECK(server.requests().size() == 2);
    }
}

TEST_CASE("a blob with wrong bytes, too few or too many is an error") {
    for (const std::string& sent :
         {std::string("THE bytes of a blob"), bytes.substr(1), bytes + "more", std::string()}) {
        INFO(sent);
        FakeServer server([&](const Request&) { return answer(200, {}, sent); });
        const auto store = registry::open_repository(server.host(), "a", quick(2));
        CHECK_THROWS_AS(read(*store), base::Error);
    }
}

TEST_CASE("what the reader of a blob throws is not taken for the registry's fault") {
    FakeServer server([](const Request&) { return answer(200, {}, bytes); });
    const auto store = registry::open_repository(server.host(), "a", quick());
    const auto error = error_of([&] {
        store->read_blob(blob,
                         [](std::string_view) {
                             throw base::Error(base::ErrorKind::unavailable, "the disk is full");
                         },
                         {});
    });
    CHECK(error.message() == "the disk is full");
    CHECK(server.requests().size() == 1);
}

TEST_CASE("an upload keeps the query of its location and survives every fault on the way") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "blob", bytes);
    struct Row {
        const char* what;
        std::string method;
        std::string reply;
    };
    for (const Row& row : {
             Row{"nothing", "NONE", "x"},
             Row{"500 at the beginning", "POST", answer(500, {}, "")},
             Row{"503 at the end", "PUT", answer(503, {}, "")},
             Row{"session unknown", "PUT", answer(404, {}, "")},
             Row{"range not satisfiable", "PUT", answer(416, {}, "")},
             Row{"connection closed", "PUT", "close"},
             Row{"answer cut", "PUT",
                 "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"},
         }) {
        INFO(row.what);
        Uploads uploads;
        base::Guarded<bool> done(false);
        uploads.before = [&](const Request& request) -> std::string {
            if (request.method != row.method || std::exchange(*done.lock(), true)) return "";
            return row.reply;
        };
        const auto store = registry::open_repository(uploads.server.host(), "a", quick());
        store->write_blob({blob, directory.path() / "blob"}, {});
        CHECK(*uploads.stored.lock() == bytes);
        const auto last = uploads.server.requests().back();
        CHECK(last.target == "/v2/a/up/1?_state=x%2By&digest=sha256%3A" + blob.digest.hex());
    }
}

TEST_CASE("an upload whose answer got lost is not sent again") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "blob", bytes);
    Uploads uploads;
    uploads.before = [&](const Request& request) -> std::string {
        if (request.method != "PUT") return "";
        *uploads.stored.lock() = request.body;
        return "HTTP/1.1 201 Cre\r\nConnection: close\r\nContent-Length: 5\r\n\r\n";
    };
    const auto store = registry::open_repository(uploads.server.host(), "a", quick());
    store->write_blob({blob, directory.path() / "blob"}, {});
    int puts = 0;
    for (const auto& request : uploads.server.requests()) puts += request.method == "PUT";
    CHECK(puts == 1);
}

TEST_CASE("an upload whose token runs out half-way gets a new one") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "blob", bytes);
    base::Guarded<int> issued(0);
    FakeServer tokens([&](const Request&) {
        return answer(200, {}, "{\"token\":\"t" + std::to_string(++*issued.lock()) + "\"}");
    });
    Uploads uploads;
    uploads.before = [&](const Request& request) -> std::string {
        const auto sent = request.header("authorization");
        const bool good = sent == (request.method == "PUT" ? "Bearer t2" : "Bearer t1");
        return good ? "" : token_challenge(tokens.url());
    };
    const auto store = registry::open_repository(uploads.server.host(), "a", quick());
    store->write_blob({blob, directory.path() / "blob"}, {});
    CHECK(*uploads.stored.lock() == bytes);
}

TEST_CASE("an upload to a location on another host carries no credentials") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "blob", bytes);
    FakeServer objects([](const Request&) { return answer(201, {}, ""); }, "127.0.0.2");
    FakeServer server([&](const Request& request) {
        if (request.header("authorization") != basic)
            return answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
        if (request.method == "HEAD") return answer(404, {}, "");
        return answer(202, {"Location: " + objects.url("/put")}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    store->write_blob({blob, directory.path() / "blob"}, {});
    REQUIRE(objects.requests().size() == 1);
    CHECK(objects.requests()[0].header("authorization").empty());
    CHECK(objects.requests()[0].body == bytes);
}

TEST_CASE("a manifest counts as written only when the registry has it under its digest") {
    const image::RawManifest raw{std::string(image::media_type::manifest), manifest,
                                 Digest::of(manifest)};
    const auto try_with = [&](const FakeServer::Handler& handler) {
        FakeServer server(handler);
        registry::open_repository(server.host(), "a", quick(1))->write_manifest(raw, "v1", {});
        return server.requests();
    };
    const std::string told = "Docker-Content-Digest: " + raw.digest.render();
    const std::string wrong = "Docker-Content-Digest: " + Digest::of("other").render();
    const auto good = [&](const Request& request) {
        return request.method == "PUT" ? answer(201, {told}, "") : answer(200, {told}, "");
    };
    const auto seen = try_with(good);
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].target == "/v2/a/manifests/sha256%3A" + raw.digest.hex());
    CHECK(seen[0].header("content-type") == image::media_type::manifest);
    CHECK(seen[1].method == "HEAD");
    CHECK(seen[2].target == "/v2/a/manifests/v1");
    CHECK_THROWS_AS(try_with([&](const Request&) { return answer(201, {wrong}, ""); }),
                    base::Error);
    CHECK_THROWS_AS(try_with([&](const Request& request) {
                        return request.method == "PUT" ? answer(201, {told}, "")
                                                       : answer(404, {}, "");
                    }),
                    base::Error);
    CHECK_THROWS_AS(try_with([&](const Request& request) {
                        return request.method == "PUT" ? answer(201, {}, "")
                                                       : answer(200, {wrong}, "");
                    }),
                    base::Error);
    CHECK_THROWS_AS(try_with([&](const Request& request) {
                        return request.method == "PUT" ? answer(202, {}, "")
                                                       : answer(200, {told}, "");
                    }),
                    base::Error);
}

TEST_CASE("a mount that is refused leaves an upload to go on with") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "blob", bytes);
    Uploads uploads;
    const auto store = registry::open_repository(uploads.server.host(), "a", quick());
    CHECK_FALSE(store->mount_blob(blob, "b/c", {}));
    store->write_blob({blob, directory.path() / "blob"}, {});
    int posts = 0;
    for (const auto& request : uploads.server.requests()) posts += request.method == "POST";
    CHECK(posts == 1);
    CHECK(uploads.server.requests().at(0).target ==
          "/v2/a/blobs/uploads/?mount=" + blob.digest.render() + "&from=b%2Fc");
    FakeServer refuses([](const Request&) { return answer(403, {}, ""); });
    CHECK_FALSE(registry::open_repository(refuses.host(), "a", quick())->mount_blob(blob, "b", {}));
}

TEST_CASE("a file that is not its descriptor is noticed while it is sent") {
    const base::TempDir directory("upload");
    base::write_file(directory.path() / "other", "THE bytes of a blob");
    base::write_file(directory.path() / "short", "the");
    Uploads uploads;
    const auto store = registry::open_repository(uploads.server.host(), "a", quick());
    CHECK_THROWS_AS(store->write_blob({blob, directory.path() / "other"}, {}), base::Error);
    *uploads.stored.lock() = "";
    CHECK_THROWS_AS(store->write_blob({blob, directory.path() / "short"}, {}), base::Error);
}
