#include "registry/repository.h"

#include "fake_server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <sys/stat.h>

namespace {

// Answers as the registry does that asks for a token with this header.
struct Asking {
    explicit Asking(std::function<std::string(const std::string& realm)> challenge)
        : tokens([](const auto&) { return FakeServer::answer(200, {}, R"({"token":"T"})"); }),
          registry([this, challenge](const FakeServer::Request& request) {
              if (request.header("authorization") == "Bearer T") return FakeServer::answer(404);
              return FakeServer::answer(401,
                                        {"WWW-Authenticate: " + challenge(tokens.url("/token"))});
          }) {}
    FakeServer tokens, registry;
};

} // namespace

TEST_CASE("challenges are understood in every spelling that registries use") {
    using Spelling = std::string (*)(const std::string&);
    for (const Spelling spelling : {
             Spelling([](const std::string& r) {
                 return "Bearer realm=\"" + r + "\",service=\"s\",scope=\"repository:a:pull\"";
             }),
             Spelling([](const std::string& r) { return "bearer REALM=" + r; }),
             Spelling([](const std::string& r) {
                 return "Bearer   realm = \"" + r + "\" , service=\"a,b\"";
             }),
             Spelling([](const std::string& r) {
                 return "Negotiate, Basic realm=\"x\", Bearer realm=\"" + r + "\"";
             }),
             Spelling([](const std::string& r) {
                 return "Custom a=\"b\\\"c\", d=e Bearer realm=\"" + r +
                        "\",,error=\"invalid_token\"";
             }),
         }) {
        INFO(spelling("REALM"));
        Asking asking(spelling);
        const auto store =
            registry::open_repository(asking.registry.host(), "team/app", {.attempts = 1});
        CHECK_FALSE(store->read_manifest("latest", {}));
        REQUIRE(asking.tokens.requests().size() == 1);
        CHECK(asking.tokens.requests()[0].target.find("scope=repository%3Ateam%2Fapp%3Apull") !=
              std::string::npos);
    }
}

TEST_CASE("credentials are found where docker login puts them") {
    const base::TempDir directory("docker");
    const auto& path = directory.path();
    ::setenv("DOCKER_CONFIG", path.c_str(), 1);
    CHECK(registry::read_docker_credentials("a.example").empty());
    const auto helper = path / "docker-credential-of-test";
    base::write_file(
        helper,
        "#!/bin/sh\nread server\n"
        "[ \"$server\" = h.example ] && echo '{\"Username\":\"u\",\"Secret\":\"s\"}'\n",
        0755);
    ::chmod(helper.c_str(), 0755);
    const std::string before = std::getenv("PATH");
    ::setenv("PATH", (path.string() + ":" + before).c_str(), 1);
    base::write_file(path / "config.json", R"({
        "auths": {
            "a.example": {"auth": "bWU6cGE6c3M="},
            "https://b.example/v2/": {"username": "b", "password": "c"},
            "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA"},
            "t.example": {"identitytoken": "idt"},
            "broken.example": {"auth": "!!!"}
        },
        "credHelpers": {"h.example": "of-test", "evil.example": "../../bin/sh"}
    })");
    const auto find = [](const std::string& host) {
        auto found = registry::read_docker_credentials(host);
        return found.contains(host) ? found[host].user + " / " + found[host].password.reveal() : "";
    };
    CHECK(find("a.example") == "me / pa:ss");
    CHECK(find("b.example") == "b / c");
    CHECK(find("docker.io") == "hub / secret");
    CHECK(find("t.example") == "<token> / idt");
    CHECK(find("h.example") == "u / s");
    CHECK(find("broken.example").empty());
    CHECK(find("unknown.example").empty());
    CHECK_THROWS_AS(find("evil.example"), base::Error);
    ::setenv("PATH", before.c_str(), 1);
    ::unsetenv("DOCKER_CONFIG");
}
