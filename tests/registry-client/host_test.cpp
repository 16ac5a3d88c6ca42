#include "registry/host.h"

#include "fake_server.h"

#include "base/error.h"
#include "image/image.h"

#include <catch2/catch.hpp>

using Request = FakeServer::Request;

TEST_CASE("repositories of one host share its connection, and the tokens that we make ourselves") {
    const std::string manifest = R"({"schemaVersion":2})";
    FakeServer server([&](const Request&) { return FakeServer::answer(200, {}, manifest); });
    std::vector<std::vector<std::string>> made;
    std::vector<std::unique_ptr<image::BlobStore>> stores;
    {
        const registry::Host host(server.host(), {}, [&](const std::vector<std::string>& scopes) {
            made.push_back(scopes);
            return "token-" + std::to_string(made.size());
        });
        for (const char* name : {"team/a", "team/b"}) stores.push_back(host.open(name));
        CHECK_THROWS_AS(host.open("Team/A"), base::Error);
    }
    for (int i = 0; i < 2; ++i)
        for (const auto& store : stores) CHECK(store->read_manifest("v1", {}));
    CHECK(made == std::vector<std::vector<std::string>>{{"repository:team/a:pull"},
                                                        {"repository:team/b:pull"}});
    const auto seen = server.requests();
    REQUIRE(seen.size() == 4);
    CHECK(seen[0].target == "/v2/team/a/manifests/v1");
    CHECK(seen[0].header("authorization") == "Bearer token-1");
    CHECK(seen[1].target == "/v2/team/b/manifests/v1");
    CHECK(seen[1].header("authorization") == "Bearer token-2");
    CHECK(server.connections() == 1);
}
