// Where a credential must not go, whatever a registry says (docs of the threats: containerd's
// CVE-2020-15157, go-containerregistry#2193).
#include "registry/repository.h"

#include "fake_server.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

namespace {

using Request = FakeServer::Request;
const auto answer = &FakeServer::answer;
const std::string basic = "Basic bWU6cGFzcw==";

registry::Settings with_login(const std::string& host) {
    registry::Settings settings{.attempts = 2, .first_backoff = 1ms, .stall_timeout = 5s};
    settings.credentials[host] = {"me", base::Secret("pass")};
    return settings;
}

// A registry that knows "me" by name and then answers as told.
struct Site {
    explicit Site(FakeServer::Handler after_login, FakeServer::Handler stranger)
        : elsewhere(std::move(stranger), "127.0.0.2"),
          server([after_login](const Request& request) {
              if (request.header("authorization") != basic)
                  return answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
              return after_login(request);
          }) {}
    std::unique_ptr<image::BlobStore> open() {
        return registry::open_repository(server.host(), "app", with_login(server.host()));
    }
    void check_nothing_told() {
        CHECK_FALSE(elsewhere.requests().empty());
        for (const auto& request : elsewhere.requests())
            CHECK(request.header("authorization").empty());
    }
    FakeServer elsewhere, server;
};

} // namespace

TEST_CASE("the next page of a list at another host is asked for without credentials") {
    std::string stranger;
    Site site(
        [&](const Request&) {
            return answer(200, {"Link: <" + stranger + ">; rel=\"next\""}, R"({"tags":["a"]})");
        },
        [](const Request&) { return answer(200, {}, R"({"tags":["b"]})"); });
    stranger = site.elsewhere.url("/v2/app/tags/list?last=a");
    CHECK(site.open()->list_tags({}) == std::vector<std::string>{"a", "b"});
    site.check_nothing_told();
}

TEST_CASE("chunks for another host are sent there without credentials") {
    std::string stranger;
    Site site(
        [&](const Request& request) {
            if (request.method == "HEAD") return answer(404, {}, "");
            return answer(202, {"Location: " + stranger}, "");
        },
        [&](const Request& request) {
            return request.method == "PUT" ? answer(201, {}, "")
                                           : answer(202, {"Location: " + stranger}, "");
        });
    stranger = site.elsewhere.url("/signed?key=1");
    const std::string bytes(11'000'000, 's');
    site.open()->stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, {});
    site.check_nothing_told();
}

TEST_CASE("a stranger that asks for a login gets none") {
    for (const char* challenge : {"Basic realm=\"x\"", "Bearer realm=\"%\""}) {
        std::string stranger;
        Site site([&](const Request&) { return answer(307, {"Location: " + stranger}, ""); },
                  [&](const Request&) {
                      std::string text = challenge;
                      if (const auto at = text.find('%'); at != text.npos)
                          text.replace(at, 1, stranger);
                      return answer(401, {"WWW-Authenticate: " + text}, "");
                  });
        stranger = site.elsewhere.url("/blob");
        CHECK_THROWS_AS(site.open()->read_blob({"", image::Digest::of("x"), 1}, [](auto) {}, {}),
                        base::Error);
        site.check_nothing_told();
    }
}

TEST_CASE("credentials of one port of a host are not those of another") {
    FakeServer server([](const Request& request) {
        return request.header("authorization").empty()
                   ? answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "")
                   : answer(404, {}, "");
    });
    const auto store = registry::open_repository(server.host(), "app", with_login("127.0.0.1:1"));
    CHECK_THROWS_AS(store->read_manifest("v1", {}), base::Error);
    for (const auto& request : server.requests()) CHECK(request.header("authorization").empty());
}

TEST_CASE("addresses with a name in them, and of other schemes, lead nowhere") {
    for (const char* place : {"http://me:pass@127.0.0.1/", "file:///etc/passwd", "gopher://x/",
                              "http://127.0.0.1:99999/", "http://"}) {
        INFO(place);
        FakeServer server([&](const Request&) {
            return answer(401, {"WWW-Authenticate: Bearer realm=\"" + std::string(place) + "\""},
                          "");
        });
        CHECK_THROWS_AS(registry::open_repository(server.host(), "app", with_login(server.host()))
                            ->read_manifest("v1", {}),
                        base::Error);
        Site site(
            [&](const Request&) { return answer(202, {"Location: " + std::string(place)}, ""); },
            [](const Request&) { return answer(200, {}, ""); });
        const std::string bytes(6'000'000, 's');
        CHECK_THROWS_AS(
            site.open()->stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, {}),
            base::Error);
        CHECK(site.elsewhere.requests().empty());
    }
}

TEST_CASE("the urls of a manifest's descriptors are never asked for anything") {
    FakeServer elsewhere([](const Request&) { return answer(200, {}, "x"); }, "127.0.0.2");
    const std::string layer =
        R"({"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":")" +
        image::Digest::of("x").render() + R"(","size":1,"urls":[")" + elsewhere.url() + "\"]}";
    const std::string config = R"({"architecture":"amd64","os":"linux","rootfs":{"diff_ids":[]}})";
    const std::string manifest =
        R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        image::Digest::of(config).render() + R"(","size":)" + std::to_string(config.size()) +
        R"(,"urls":[")" + elsewhere.url() + R"("]},"layers":[)" + layer + "]}";
    FakeServer server([&](const Request& request) {
        return request.target.find("/manifests/") != std::string::npos ? answer(200, {}, manifest)
                                                                       : answer(404, {}, "");
    });
    const auto store =
        registry::open_repository(server.host(), "app", {.attempts = 1, .first_backoff = 1ms});
    CHECK_THROWS_AS(image::read_image(*store, "v1", "amd64", "app:v1", {}), base::Error);
    CHECK(elsewhere.requests().empty());
}
