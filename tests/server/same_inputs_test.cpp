#include "same_inputs.h"

#include "queue_site.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace server;

namespace {

struct InputsSite {
    InputsSite() {
        store->add_app({"shop", 1});
        store->add_app({"blog", 1});
    }
    void published(const std::string& id, const std::string& ref = "refs/heads/main",
                   std::int64_t ago = 1000) {
        apps::Build row;
        row.id = id;
        row.app = "shop";
        row.state = apps::BuildState::published;
        row.ref = ref;
        row.finished = apps::now_milliseconds() - ago;
        row.digest = "sha256:" + id;
        row.reference = "registry.test/shop@sha256:" + id;
        row.size = 9;
        row.processes = {{"web", "node x", true}};
        row.inputs = "key-" + id;
        store->builds().add(row);
    }
    builder::KnownInputs known(const std::string& app = "shop",
                               const std::string& ref = "refs/heads/main") {
        apps::Build row;
        row.app = app;
        row.ref = ref;
        return known_inputs({config, store->builds(), key}, row);
    }

    base::TempDir directory{"same-inputs"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    Config config;
    base::Secret key{"the server's"};
};

} // namespace

TEST_CASE("the key of keys is made once, for the owner alone") {
    const base::TempDir directory("inputs-key");
    const auto file = directory.path() / "inputs.key";
    const auto first = open_inputs_key(file).reveal();
    CHECK(first.size() == 64);
    CHECK(open_inputs_key(file).reveal() == first);
    struct stat facts {};
    REQUIRE(::stat(file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("a build is given its app's finished builds with their inputs and images") {
    InputsSite site;
    site.published("b1");
    const auto known = site.known();
    REQUIRE(known.finished.size() == 1);
    CHECK(known.finished[0].id == "b1");
    const auto& published = known.finished[0].published;
    CHECK(published.inputs == "key-b1");
    CHECK(published.digest == "sha256:b1");
    CHECK(published.size == 9);
    REQUIRE(published.processes.size() == 1);
    CHECK(published.processes[0].command == "node x");
    CHECK(site.known("blog").finished.empty());
}

TEST_CASE("keys of another app, of another server and of images without a proof do not fit") {
    InputsSite site;
    const auto secret = site.known().secret.reveal();
    CHECK(site.known("blog").secret.reveal() != secret);
    site.config.registry.proof = "no";
    CHECK(site.known().secret.reveal() != secret);
    site.config.registry.proof = "yes";
    CHECK(site.known().secret.reveal() == secret);
    InputsSite other;
    const base::Secret key("another server's");
    CHECK(
        known_inputs({other.config, other.store->builds(), key}, {.app = "shop"}).secret.reveal() !=
        secret);
}

TEST_CASE("what nobody has merged answers for its own proposal alone") {
    InputsSite site;
    site.published("b1", "refs/pull/7/head");
    CHECK(site.known("shop", "refs/heads/main").finished.empty());
    CHECK(site.known("shop", "refs/pull/8/head").finished.empty());
    CHECK(site.known("shop", "refs/pull/7/head").finished.size() == 1);
}

TEST_CASE("images answer for as long as the operator wants, or never") {
    InputsSite site;
    site.published("b1", "refs/heads/main", 3'600'000);
    site.config.build.same_inputs = std::chrono::hours(2);
    CHECK(site.known().finished.size() == 1);
    site.config.build.same_inputs = std::chrono::minutes(30);
    CHECK(site.known().finished.empty());
    CHECK_FALSE(site.known().secret.empty());
    site.config.build.same_inputs = std::chrono::seconds(0);
    CHECK(site.known().secret.empty());
}

namespace {

// A queue whose workers answer with an image of "b0", which they were offered or not.
apps::Build answered_by(const std::string& digest, int& proofs) {
    queue_site::Site site(1);
    site.queue.reset();
    const auto make_job = site.settings.make_job;
    site.settings.make_job = [&](const apps::Build& build, const builder::Source& source) {
        auto job = make_job(build, source);
        job.inputs.finished = {{"b0", {.digest = "sha256:00", .inputs = "key"}}};
        return job;
    };
    site.settings.prove = [&](const PublishedBuild&, const base::Stop&) { ++proofs; };
    site.set_mode("shop", "same " + digest);
    site.queue.emplace(*site.store, site.settings);
    const auto build = site.submit("shop");
    queue_site::follow(*build);
    return site.row(*build);
}

} // namespace

TEST_CASE("a build that another one's image answers says so, and its image is not signed again") {
    int proofs = 0;
    const auto row = answered_by("sha256:00", proofs);
    CHECK(row.state == apps::BuildState::published);
    CHECK(row.digest == "sha256:00");
    CHECK(row.same_as == "b0");
    CHECK(row.inputs == "key");
    CHECK(proofs == 0);
}

TEST_CASE("a worker that names an image which it was not given publishes nothing") {
    int proofs = 0;
    const auto row = answered_by("sha256:11", proofs);
    CHECK(row.state == apps::BuildState::broken);
    CHECK(row.digest.empty());
    CHECK(row.same_as.empty());
    CHECK(row.reason.find("not this app's") != std::string::npos);
}
