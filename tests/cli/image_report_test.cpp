#include "image_report.h"

#include <catch2/catch.hpp>

#include <algorithm>

using image::Digest;
using Kind = cli::LayerChange::Kind;

namespace {

image::Layer layer(const std::string& content, std::uint64_t size) {
    return {{std::string(image::media_type::layer_gzip), Digest::of("compressed " + content), size},
            Digest::of(content)};
}

std::string sha(const std::string& content) {
    return "\"" + Digest::of(content).render() + "\"";
}

std::vector<image::HistoryEntry> history_of(const std::vector<image::Layer>& layers) {
    return std::vector<image::HistoryEntry>(layers.size());
}

struct Made {
    std::string app = "app";
    std::uint64_t app_size = 10;
    std::string modules = "modules";
    std::string web = "node server.js";
    bool ruby = false;
};

image::Image make(const Made& made) {
    const auto buildpack = [](const std::string& id, const std::string& name,
                              const std::string& content) {
        return R"({"key":")" + id + R"(","version":"1","layers":{")" + name + R"(":{"sha":)" +
               sha(content) + "}}}";
    };
    std::vector<image::Layer> layers{layer("base", 100), layer(made.modules, 40),
                                     layer(made.app, made.app_size), layer("slice", 5)};
    std::string buildpacks = buildpack("a/node", "modules", made.modules);
    std::string group = R"({"id":"a/node","version":"1"})";
    if (made.ruby) {
        buildpacks += "," + buildpack("a/ruby", "gems", "gems");
        group += R"(,{"id":"a/ruby","version":"2"})";
        layers.push_back(layer("gems", 7));
    }
    image::ContainerConfig config;
    config.environment = {"PATH=/bin", "A=1"};
    config.labels["io.buildpacks.lifecycle.metadata"] =
        R"({"app":[{"sha":)" + sha(made.app) + R"(},{"sha":)" + sha("slice") +
        R"(}],"buildpacks":[)" + buildpacks + R"(],"runImage":{"reference":"run@x"}})";
    config.labels["io.buildpacks.build.metadata"] =
        R"({"buildpacks":[)" + group +
        R"(],"buildpack-default-process-type":"web","processes":[{"type":"web","command":[")" +
        made.web + R"("],"args":["--port"]}]})";
    return image::Image("amd64").with_layers(layers, history_of(layers)).with_config(config);
}

const cli::LayerChange& find(const std::vector<cli::LayerChange>& changes, const std::string& by) {
    const auto found = std::find_if(changes.begin(), changes.end(),
                                    [&](const auto& each) { return each.by == by; });
    REQUIRE(found != changes.end());
    return *found;
}

} // namespace

TEST_CASE("each layer of an image is somebody's") {
    const auto report = cli::report_on(make({}));
    REQUIRE(report.layers.size() == 4);
    CHECK(report.layers[0].by == "run image");
    CHECK(report.layers[1].by == "a/node");
    CHECK(report.layers[1].name == "modules");
    CHECK(report.layers[2].by == "app");
    CHECK(report.layers[3].name == "slice 2");
    CHECK(report.buildpacks == std::vector<std::string>{"a/node@1"});
    CHECK(report.run_image == "run@x");
    REQUIRE(report.processes.size() == 1);
    CHECK(report.processes[0].command == "node server.js --port");
    CHECK(report.processes[0].is_default);
}

TEST_CASE("an image that is not ours is reported, too, whatever its labels say") {
    image::ContainerConfig config;
    for (const char* text : {"", "[]", "{", R"({"app":1,"buildpacks":[1,{"layers":[]}]})"}) {
        config.labels["io.buildpacks.lifecycle.metadata"] = text;
        config.labels["io.buildpacks.build.metadata"] = text;
        const auto report = cli::report_on(
            image::Image("amd64").with_layers({layer("base", 1)}, {{"base"}}).with_config(config));
        REQUIRE(report.layers.size() == 1);
        CHECK(report.layers[0].by == "run image");
    }
}

TEST_CASE("what grew is told by whose it is") {
    const auto changes =
        cli::compare_layers(cli::report_on(make({})),
                            cli::report_on(make({.app = "other", .app_size = 30, .ruby = true})));
    CHECK(find(changes, "run image").kind == Kind::same);
    CHECK(find(changes, "a/node").kind == Kind::same);
    CHECK(find(changes, "app").kind == Kind::changed);
    CHECK(find(changes, "app").before == 15);
    CHECK(find(changes, "app").after == 35);
    CHECK(find(changes, "a/ruby").kind == Kind::added);
    const auto back =
        cli::compare_layers(cli::report_on(make({.ruby = true})), cli::report_on(make({})));
    CHECK(find(back, "a/ruby").kind == Kind::removed);
    CHECK(find(back, "a/ruby").before == 7);
}

TEST_CASE("settings that changed are named with both values") {
    const auto before = make({});
    auto config = before.config();
    config.environment = {"PATH=/bin", "B=2"};
    config.user = "1000";
    const auto changes = cli::compare_settings(before, before.with_config(config));
    std::vector<std::string> names;
    for (const auto& change : changes)
        names.push_back(change.name + ": " + change.before + " > " + change.after);
    CHECK(names == std::vector<std::string>{"env B:  > 2", "user:  > 1000", "env A: 1 > "});
    CHECK(cli::compare_settings(before, make({})).empty());
    const auto process = cli::compare_settings(before, make({.web = "deno"}));
    REQUIRE(process.size() == 1);
    CHECK(process[0].name == "process web");
    CHECK(cli::compare_settings(before, make({.ruby = true})).back().name == "buildpack a/ruby");
}
