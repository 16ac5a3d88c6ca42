#include "lifecycle_metadata.h"

#include "base/error.h"
#include "base/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace builder;

namespace {

LifecycleMetadata sample() {
    LifecycleMetadata metadata;
    metadata.app = {"sha256:a"};
    metadata.config = "sha256:c";
    metadata.launcher = "sha256:l";
    metadata.process_types = "sha256:p";
    metadata.buildpacks = {
        {"t/one",
         "1.0.0",
         {{"deps",
           {"sha256:d", R"({"key":"v"})", {.launch = true, .build = false, .cache = true}}}},
         R"({"n":1})"}};
    metadata.run_image = {"sha256:t", "stacks/x/run@sha256:r", "stacks/x/run"};
    return metadata;
}

image::Image with_label(const std::string& text) {
    image::ContainerConfig config;
    config.labels[lifecycle_label] = text;
    return image::Image("amd64").with_config(config);
}

} // namespace

TEST_CASE("the label has the members of the platform specification") {
    const auto value = base::json::parse(sample().render(), "label");
    CHECK(value["app"][0]["sha"] == "sha256:a");
    CHECK(value["launcher"]["sha"] == "sha256:l");
    CHECK(value["config"]["sha"] == "sha256:c");
    CHECK(value["process-types"]["sha"] == "sha256:p");
    CHECK(value["runImage"]["topLayer"] == "sha256:t");
    CHECK(value["runImage"]["reference"] == "stacks/x/run@sha256:r");
    const auto& pack = value["buildpacks"][0];
    CHECK(pack["key"] == "t/one");
    CHECK(pack["layers"]["deps"]["data"]["key"] == "v");
    CHECK(pack["layers"]["deps"]["launch"] == true);
    CHECK(pack["layers"]["deps"]["build"] == false);
    CHECK(pack["store"]["metadata"]["n"] == 1);
}

TEST_CASE("the label of the last image reads back") {
    const auto metadata = LifecycleMetadata::parse(with_label(sample().render()));
    REQUIRE(metadata);
    const auto* pack = metadata->find("t/one");
    REQUIRE(pack);
    CHECK(pack->layers.at("deps").diff_id == "sha256:d");
    CHECK(pack->layers.at("deps").metadata_json == R"({"key":"v"})");
    CHECK(pack->layers.at("deps").types.cache);
    CHECK(pack->store_json == R"({"n":1})");
    CHECK_FALSE(metadata->find("t/two"));
}

TEST_CASE("a label that others wrote cannot name files outside the layers") {
    for (const char* name : {"../../escape", "a/b", "..", "."}) {
        auto metadata = sample();
        metadata.buildpacks[0].layers[name] = {};
        metadata.buildpacks[0].layers[name].metadata_json = "{}";
        CHECK_FALSE(LifecycleMetadata::parse(with_label(metadata.render())));
    }
}

TEST_CASE("an image without a readable label is built upon as if it were the first") {
    CHECK_FALSE(LifecycleMetadata::parse(image::Image("amd64")));
    for (const char* text :
         {"", "{", "[]x", R"({"buildpacks":[3]})", R"({"buildpacks":[{"key":1}]})"})
        CHECK_FALSE(LifecycleMetadata::parse(with_label(text)));
}

TEST_CASE("launch metadata is what the launcher reads") {
    const std::vector<NamedProcess> processes{
        {{"web", {"node"}, {"server.js"}, "", true}, "t/one"}};
    const auto toml = render_launch_metadata({}, processes);
    for (const char* part :
         {"[[processes]]", "type = \"web\"", "command = [ \"node\" ]", "args = [ \"server.js\" ]",
          "direct = true", "default = true", "buildpack-id = \"t/one\""})
        CHECK_THAT(toml, Catch::Contains(part));
}
