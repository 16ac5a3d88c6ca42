#include "buildpacks/catalog.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace buildpacks;
namespace fs = std::filesystem;

namespace {

struct Folder {
    base::TempDir directory{"slipway-test"};

    Folder() {
        file("extension.toml", "api = \"0.10\"\n[extension]\nid = \"test/ext\"\nversion = \"1\"\n");
    }
    Folder& file(const std::string& name, const std::string& bytes) {
        const auto path = directory.path() / name;
        fs::create_directories(path.parent_path());
        base::write_file(path, bytes);
        return *this;
    }
    std::shared_ptr<const Buildpack> load() const { return load_extension(directory.path()); }
};

std::string run_image(const std::string& dockerfile) {
    Folder folder;
    return folder.file("generate/run.Dockerfile", dockerfile).load()->read_build({}).run_image;
}

} // namespace

TEST_CASE("an image extension without programs brings its plan and its Dockerfile ready-made") {
    Folder folder;
    CHECK(folder.load()->read_detection({}, "", {}).verdict == Verdict::pass);
    folder.file("detect/plan.toml", "[[provides]]\nname = \"curl\"\n");
    const auto extension = folder.load();
    CHECK(extension->role() == Role::extension);
    CHECK_FALSE(extension->has_detect());
    CHECK_FALSE(extension->has_build());
    CHECK(extension->read_detection({}, "", {}).sections[0].provides ==
          std::vector<std::string>{"curl"});
    CHECK(extension->read_build({}).run_image.empty());
    CHECK(run_image("FROM registry/run:1\n") == "registry/run:1");
}

TEST_CASE("a wrong type in an extension.toml is its author's mistake") {
    Folder folder;
    folder.file("extension.toml", "api = \"0.10\"\ntargets = [1]\n[extension]\nid = \"test/ext\"\n"
                                  "version = \"1\"\n");
    CHECK_THROWS_AS(folder.load(), base::Error);
}

TEST_CASE("an image extension that requires something is an error that names it") {
    Folder folder;
    folder.file("detect/plan.toml", "[[requires]]\nname = \"curl\"\n");
    CHECK_THROWS_WITH(folder.load()->read_detection({}, "", {}),
                      Catch::Contains("test/ext@1") && Catch::Contains("curl"));
}

TEST_CASE("bin/generate is given its output directory, its plan and its own directory") {
    Folder folder;
    const auto extension = folder.file("bin/generate", "").file("bin/detect", "").load();
    CHECK(extension->has_detect());
    CHECK(extension->has_build());
    const auto slot = folder.directory.path() / "slots/one";
    fs::create_directories(slot);
    const auto made = extension->build({}, {{"curl", "{}"}}, slot, "/detect/one", {});
    CHECK(made.argv == std::vector<std::string>{"/cnb/extensions/test_ext/1/bin/generate",
                                                "/detect/one", "/platform",
                                                "/detect/one/plan.toml"});
    for (const char* line :
         {"CNB_EXTENSION_DIR=/cnb/extensions/test_ext/1", "CNB_OUTPUT_DIR=/detect/one",
          "CNB_BP_PLAN_PATH=/detect/one/plan.toml", "CNB_PLATFORM_DIR=/platform"})
        CHECK(std::count(made.environment.begin(), made.environment.end(), line) == 1);
    CHECK_THAT(base::read_file(slot / "plan.toml"), Catch::Contains("curl"));
    base::write_file(slot / "run.Dockerfile", "FROM other\n");
    CHECK(extension->read_build({.app = {}, .layers = {}, .slot = slot}).run_image == "other");
}

TEST_CASE("a run.Dockerfile may switch the run image or leave it") {
    CHECK(run_image("# syntax\nARG base_image\n\nfrom ${base_image}\n").empty());
    CHECK(run_image("ARG base_image=x\nFROM $base_image").empty());
    CHECK(run_image("FROM host:5000/run@sha256:" + std::string(64, 'a') + " AS run\r\n") ==
          "host:5000/run@sha256:" + std::string(64, 'a'));
}

TEST_CASE("what an image extension would change is refused with its name and the line") {
    const auto refused = [](const std::string& dockerfile, const std::string& line) {
        CHECK_THROWS_WITH(run_image(dockerfile),
                          Catch::Contains("test/ext@1") &&
                              Catch::Contains("run.Dockerfile, line " + line));
    };
    refused("FROM a\nRUN apt-get install curl\n", "2");
    refused("FROM a\nFROM b\n", "2");
    refused("FROM a\nARG b\n", "2");
    refused("FROM ${other}\n", "1");
    refused("FROM --platform=linux/amd64 a\n", "1");
    refused("FROM \\\na\n", "1");
    refused("ARG a\\\nFROM b\n", "1");
    CHECK_THROWS_WITH(run_image("ARG base_image\n"), Catch::Contains("has no FROM"));
}

TEST_CASE("a build.Dockerfile of an image extension may change nothing") {
    Folder folder;
    folder.file("generate/build.Dockerfile", "ARG base_image\nFROM ${base_image}\n");
    CHECK(folder.load()->read_build({}).run_image.empty());
    folder.file("generate/build.Dockerfile", "ARG base_image\nFROM ${base_image}\nUSER root\n");
    CHECK_THROWS_WITH(folder.load()->read_build({}),
                      Catch::Contains("test/ext@1: build.Dockerfile, line 3: \"USER root\""));
    folder.file("generate/build.Dockerfile", "FROM other\n");
    CHECK_THROWS_WITH(folder.load()->read_build({}), Catch::Contains("other"));
}
