// Uploads that break off, run out of their token, are sent elsewhere; what counts as written.
#include "faults.h"

using namespace faults;

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
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].target == "/v2/a/manifests/v1");
    CHECK(seen[0].header("content-type") == image::media_type::manifest);
    CHECK(seen[1].method == "HEAD");
    CHECK(seen[1].target == "/v2/a/manifests/" + raw.digest.render());
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
