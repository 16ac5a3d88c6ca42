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

TEST_CASE("the build's metadata has the reference's bytes") {
    BuildMetadata metadata;
    metadata.processes = {
        {{"bare", {"true"}}, "t/one"},
        {{"web", {"node", "<a> & \"b\""}, {"server.js"}, "/workspace/x", true}, "t/one"}};
    metadata.labels = {{"k", "v"}};
    metadata.slices = {{{"public/*"}}};
    CHECK(render_build_metadata(metadata) ==
          "buildpack-default-process-type = \"web\"\n\n"
          "[[labels]]\n  key = \"k\"\n  value = \"v\"\n\n"
          "[[processes]]\n  type = \"bare\"\n  command = [\"true\"]\n  direct = true\n"
          "  buildpack-id = \"t/one\"\n\n"
          "[[processes]]\n  type = \"web\"\n"
          "  command = [\"node\", \"\\u003ca\\u003e \\u0026 \\\"b\\\"\"]\n"
          "  args = [\"server.js\"]\n  direct = true\n  buildpack-id = \"t/one\"\n"
          "  working-dir = \"/workspace/x\"\n\n"
          "[[slices]]\n  paths = [\"public/*\"]\n");
    CHECK(render_build_metadata({}) == "processes = []\n");
}

TEST_CASE("the build's label tells arguments that nobody wrote from none") {
    BuildMetadata metadata;
    metadata.processes = {{{"bare", {"true"}}, "t/one"}, {{"web", {"true"}}, "t/one"}};
    metadata.processes[1].process.gave_args = true;
    metadata.processes[1].process.is_default = true;
    const auto label = base::json::parse(render_build_label(metadata), "label");
    CHECK(label["processes"][0]["args"].is_null());
    CHECK(label["processes"][1]["args"].empty());
    CHECK(label["processes"][1]["args"].is_array());
    CHECK(label["buildpack-default-process-type"] == "web");
}

TEST_CASE("an image for another execution environment is no previous image") {
    auto config = with_label(sample().render()).config();
    config.labels[execution_env_label] = "production";
    CHECK(LifecycleMetadata::parse(image::Image("amd64").with_config(config)));
    config.labels[execution_env_label] = "test";
    CHECK_FALSE(LifecycleMetadata::parse(image::Image("amd64").with_config(config)));
}

TEST_CASE("metadata that is there and empty is not metadata that is not there") {
    auto metadata = sample();
    metadata.bills = "sha256:b";
    metadata.buildpacks[0].layers["empty"] = {"sha256:e", "{}", {.launch = true}};
    metadata.buildpacks[0].layers["none"] = {"sha256:n", "null", {.launch = true}};
    const auto label = base::json::parse(metadata.render(), "label");
    CHECK(label["sbom"]["sha"] == "sha256:b");
    CHECK(label["buildpacks"][0]["layers"]["empty"]["data"].is_object());
    CHECK(label["buildpacks"][0]["layers"]["none"]["data"].is_null());
    const auto again = LifecycleMetadata::parse_text(metadata.render());
    CHECK(again.bills == "sha256:b");
    CHECK(again.buildpacks[0].layers.at("empty").metadata_json == "{}");
    CHECK(again.buildpacks[0].layers.at("none").metadata_json == "null");
}
