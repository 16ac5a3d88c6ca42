#include "rebuild.h"

#include <catch2/catch.hpp>

namespace {

const std::string commit(40, 'a'), hex(64, 'b'), other(64, 'c');

proof::Provenance recorded() {
    return {.app = "hello",
            .buildpacks = {"https://example.com/bp.git", "docker://example.com/packs/node:18",
                           "test/script"},
            .stack = "tiny",
            .environment = {"A", "SECRET"},
            .dependencies = {{.role = "source", .digest = {{"gitCommit", commit}}},
                             {.role = "run-image", .uri = "host/run", .digest = {{"sha256", hex}}},
                             {.role = "buildpack",
                              .name = "example.com/bp@1",
                              .uri = "https://example.com/bp.git",
                              .digest = {{"gitCommit", commit}}},
                             {.role = "buildpack",
                              .name = "packs/node@18",
                              .uri = "example.com/packs/node@sha256:" + hex,
                              .digest = {{"sha256", hex}}},
                             {.role = "buildpack", .name = "test/script@1"}},
            .builder_version = "0.1.0"};
}

} // namespace

TEST_CASE("buildpacks that were named are taken at the commit or digest that built") {
    const auto pinned = cli::pinned_buildpacks(recorded());
    REQUIRE(pinned.size() == 3);
    CHECK(pinned[0] == "https://example.com/bp.git#" + commit);
    CHECK(pinned[1] == "docker://example.com/packs/node@sha256:" + hex);
    CHECK(pinned[2] == "test/script");
}

TEST_CASE("equal inputs are no difference") {
    const auto then = recorded();
    const builder::Materials now{.dependencies = then.dependencies, .environment = {"A", "SECRET"}};
    CHECK(cli::compare_inputs(then, now, "0.1.0").empty());
}

TEST_CASE("what went in is told where it differs, Slipway itself first") {
    const auto then = recorded();
    builder::Materials now{.dependencies = then.dependencies, .environment = {"A", "NEW"}};
    now.dependencies[1].digest["sha256"] = other;
    now.dependencies.pop_back();
    const auto differences = cli::compare_inputs(then, now, "0.2.0");
    REQUIRE(differences.size() == 5);
    CHECK(differences[0].name == "Slipway");
    CHECK(differences[0].recorded == "0.1.0");
    CHECK(differences[0].now == "0.2.0");
    CHECK(differences[1].name == "buildpack test/script@1");
    CHECK(differences[1].now.empty());
    CHECK(differences[2].name == "run-image");
    CHECK(differences[2].recorded == "sha256:" + hex);
    CHECK(differences[2].now == "sha256:" + other);
    CHECK(differences[3].name == "variable SECRET");
    CHECK(differences[3].now.empty());
    CHECK(differences[4].name == "variable NEW");
    CHECK(differences[4].recorded.empty());
}
