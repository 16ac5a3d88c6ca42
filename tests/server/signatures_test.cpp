#include "signatures.h"

#include "queue_site.h"

#include <catch2/catch.hpp>

namespace {

server::Signatures open(const base::TempDir& directory) {
    return server::Signatures({.key = directory.path() / "signing.key",
                               .public_keys = directory.path() / "signing.pub",
                               .builder = "https://builds.example",
                               .version = "0.1.0",
                               .repository_url = [](const std::string& app) { return app; }});
}

} // namespace

TEST_CASE("a server that starts again signs with the same key") {
    const base::TempDir directory("keys");
    const auto first = open(directory).public_keys();
    const auto second = open(directory).public_keys();
    REQUIRE(first.size() == 1);
    REQUIRE(second.size() == 1);
    CHECK(first[0].id() == second[0].id());
}

TEST_CASE("a new key comes first, and those before it stay known") {
    const base::TempDir directory("keys");
    const auto first = open(directory).public_keys();
    std::filesystem::remove(directory.path() / "signing.key");
    const auto second = open(directory).public_keys();
    std::filesystem::remove(directory.path() / "signing.key");
    const auto third = open(directory).public_keys();
    REQUIRE(third.size() == 3);
    CHECK(third[1].id() == second[0].id());
    CHECK(third[2].id() == first[0].id());
    CHECK(open(directory).public_keys().size() == 3);
}

TEST_CASE("a build whose image gets no proof is broken, and says that the image is there") {
    queue_site::Site site(1);
    site.queue.reset();
    std::string seen;
    site.settings.prove = [&](const server::PublishedBuild& build, const base::Stop&) {
        seen = build.published.digest;
        throw base::Error(base::ErrorKind::unavailable, "the registry is down", "Wait a little.");
    };
    site.queue.emplace(*site.store, site.settings);
    const auto build = site.submit("shop");
    queue_site::follow(*build);
    const auto row = site.row(*build);
    CHECK(row.state == apps::BuildState::broken);
    CHECK(row.digest.empty());
    CHECK_FALSE(seen.empty());
    CHECK(row.failed_phase == "publish");
    CHECK(row.reason.find("the image is in the registry") != std::string::npos);
    CHECK(row.reason.find("the registry is down") != std::string::npos);
    CHECK(row.hint == "Wait a little.");
}

TEST_CASE("the proof has the log as it is, before the build's row is published") {
    queue_site::Site site(1);
    site.queue.reset();
    std::string log;
    apps::BuildState state = apps::BuildState::published;
    site.settings.prove = [&](const server::PublishedBuild& build, const base::Stop&) {
        log = build.log;
        state = site.store->builds().find(build.row.id)->state;
    };
    site.queue.emplace(*site.store, site.settings);
    const auto build = site.submit("shop");
    queue_site::follow(*build);
    CHECK(site.row(*build).state == apps::BuildState::published);
    CHECK(state != apps::BuildState::published);
    CHECK_FALSE(log.empty());
    CHECK(site.log_of(build->id()).starts_with(log));
}
