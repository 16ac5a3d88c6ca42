// Manifests and blobs that come late, cut, changed, from elsewhere.
#include "faults.h"

using namespace faults;

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
