// What registries do on a bad day.
#include "faults.h"

using namespace faults;

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
