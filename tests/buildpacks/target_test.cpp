#include "buildpacks/target.h"

#include <catch2/catch.hpp>

using namespace buildpacks;

namespace {

const Target image{"linux", "amd64", "", {{"debian", "12"}}};

Info info_with(std::vector<Target> targets) {
    Info info;
    info.targets = std::move(targets);
    return info;
}

} // namespace

TEST_CASE("what a target leaves open fits") {
    CHECK(satisfies(image, Target{}));
    CHECK(satisfies(image, Target{"linux", "", "", {}}));
    CHECK(satisfies(image, Target{"linux", "amd64", "v2", {}}));
    CHECK_FALSE(satisfies(image, Target{"windows", "amd64", "", {}}));
    CHECK_FALSE(satisfies(image, Target{"linux", "arm64", "", {}}));
}

TEST_CASE("one of the distributions that a buildpack names must be the image's") {
    CHECK(satisfies(image, Target{"linux", "", "", {{"ubuntu", "24.04"}, {"debian", "12"}}}));
    CHECK(satisfies(image, Target{"linux", "", "", {{"debian", ""}}}));
    CHECK_FALSE(satisfies(image, Target{"linux", "", "", {{"debian", "13"}}}));
    CHECK_FALSE(satisfies(Target{"linux", "amd64", "", {}},
                          Target{"linux", "amd64", "", {{"debian", "12"}}}));
}

TEST_CASE("any of a buildpack's targets is enough, and one without targets works everywhere") {
    CHECK(satisfies(image, info_with({})));
    CHECK(satisfies(image, info_with({{"windows"}, {"linux"}})));
    CHECK_FALSE(satisfies(image, info_with({{"windows"}})));
}

TEST_CASE("a buildpack works in the execution environments that it names, * and none being all") {
    Info info;
    CHECK(works_in("production", info));
    info.execution_envs = {"test"};
    CHECK_FALSE(works_in("production", info));
    CHECK(works_in("test", info));
    info.execution_envs = {"*"};
    CHECK(works_in("production", info));
}

TEST_CASE("a target is shown as people write it") {
    CHECK(render(image) == "linux/amd64 (debian 12)");
    CHECK(render(Target{}) == "any/any");
}
