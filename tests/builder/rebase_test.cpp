// The rules are the reference lifecycle's (phase/rebaser_test.go, 0.21): what it refuses without
// force and with it, and what it writes into the labels.
#include "builder/rebase.h"

#include "errors.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

using builder::Force;
using builder::RunImage;
using image::Digest;
using nlohmann::json;

namespace {

constexpr const char* metadata_label = "io.buildpacks.lifecycle.metadata";
using Labels = std::map<std::string, std::string>;

image::Layer make_layer(const std::string& name) {
    return {{std::string(image::media_type::layer_gzip), Digest::of(name), 10},
            Digest::of(name + " diff")};
}

std::string diff_id(const std::string& name) {
    return Digest::of(name + " diff").render();
}

RunImage make_run(const std::string& name, const Labels& labels = {},
                  const std::vector<std::string>& layers = {"new base", "new top"},
                  const std::string& architecture = "amd64") {
    image::Image image(architecture);
    for (const auto& layer : layers) image = image.with_layers({make_layer(layer)}, {{layer}});
    image::ContainerConfig config;
    config.labels = labels;
    image = image.with_config(config);
    return {image::Reference::parse(name), image.digest(), image};
}

struct App {
    json metadata{
        {"app", {{{"sha", diff_id("app")}}}},
        {"buildpacks", {{{"key", "a/b"}, {"layers", {{"deps", {{"sha", diff_id("deps")}}}}}}}},
        {"config", {{"sha", diff_id("config")}}},
        {"runImage",
         {{"topLayer", diff_id("old top")},
          {"reference", "stacks/tiny@" + Digest::of("old").render()},
          {"image", "stacks/tiny"}}},
        {"stack", {{"runImage", {{"image", "stacks/tiny"}}}}}};
    Labels labels = {};
    std::string platform_api = "0.15";
    std::vector<std::string> layers{"old base", "old top", "deps", "app", "config"};

    image::Image make() const {
        image::Image image("amd64");
        for (const auto& layer : layers) image = image.with_layers({make_layer(layer)}, {{layer}});
        image::ContainerConfig config;
        config.environment = {"PATH=/bin"};
        if (!platform_api.empty()) config.environment.push_back("CNB_PLATFORM_API=" + platform_api);
        config.entrypoint = {"/cnb/process/web"};
        config.labels = labels;
        if (!metadata.is_null()) config.labels[metadata_label] = metadata.dump();
        return image.with_config(config);
    }
    // By a lifecycle, which names its run image's registry.
    void name_run_image(const std::string& name, const std::vector<std::string>& mirrors = {}) {
        auto& run = metadata["runImage"];
        run["reference"] = "registry.example/run@" + Digest::of("old").render();
        run["image"] = name;
        metadata["stack"]["runImage"]["image"] = name;
        if (!mirrors.empty()) run["mirrors"] = mirrors;
    }
};

json metadata_of(const image::Image& image) {
    return json::parse(image.config().labels.at(metadata_label));
}

const auto tiny = "127.0.0.1:5000/stacks/tiny:new";

builder::Rebased put(const App& app, const RunImage& run, Force force = Force::no) {
    return builder::rebase(app.make(), run, force);
}

// What force does not change, and what it does.
void check_refused(const App& app, const RunImage& run, const std::string& because) {
    for (const auto force : {Force::no, Force::yes}) {
        const auto error = error_of([&] { put(app, run, force); });
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        CHECK_THAT(error.message(), Catch::Contains(because));
    }
}
void check_needs_force(const App& app, const RunImage& run, const std::string& because) {
    const auto error = error_of([&] { put(app, run); });
    CHECK(error.kind() == base::ErrorKind::invalid_input);
    CHECK_THAT(error.message(), Catch::Contains(because));
    CHECK_THAT(error.hint(), Catch::Contains("--force"));
    const auto forced = put(app, run, Force::yes);
    REQUIRE(forced.warnings.size() == 1);
    CHECK_THAT(forced.warnings[0], Catch::Contains(because));
}

} // namespace

TEST_CASE("a rebased image has the new run image's layers below its own, and its labels say so") {
    const App app;
    const auto run = make_run(tiny);
    const auto made = put(app, run);
    CHECK(made.warnings.empty());
    std::vector<Digest> layers;
    for (const auto& layer : made.image.layers()) layers.push_back(layer.diff_id);
    CHECK(layers == std::vector{Digest::of("new base diff"), Digest::of("new top diff"),
                                Digest::of("deps diff"), Digest::of("app diff"),
                                Digest::of("config diff")});
    auto expected = app.metadata;
    expected["runImage"]["topLayer"] = diff_id("new top");
    expected["runImage"]["reference"] = "stacks/tiny@" + run.digest.render();
    CHECK(metadata_of(made.image) == expected);
    CHECK(made.image.config().environment == app.make().config().environment);
    CHECK(made.image.config().entrypoint == app.make().config().entrypoint);
    // Golden: other bytes would be another image for every app.
    CHECK(made.image.digest().render() ==
          "sha256:e37bb03cc1bf455f0eb25886c22cc35688f319a2ff76ee5fdc6c670679e1d826");
}

TEST_CASE("there and back again is the same image, and nowhere is the same image at once") {
    const App app;
    const RunImage old{image::Reference::parse("127.0.0.1:5000/stacks/tiny"), Digest::of("old"),
                       make_run(tiny, {}, {"old base", "old top"}).image};
    CHECK(put(app, old).image.digest() == app.make().digest());
    const auto away = put(app, make_run(tiny)).image;
    CHECK(builder::rebase(away, old, Force::no).image.digest() == app.make().digest());
}

TEST_CASE("labels of the base are the new run image's, all others stay") {
    App app;
    app.labels = {{"io.buildpacks.stack.distro.name", "ubuntu"},
                  {"io.buildpacks.stack.changed", "v1"},
                  {"io.buildpacks.base.removed", "old"},
                  {"io.custom.old", "abc"},
                  {"io.buildpacks.rebasable", "true"}};
    const auto run = make_run(tiny, {{"io.buildpacks.stack.distro.name", "ubuntu"},
                                     {"io.buildpacks.stack.changed", "v2"},
                                     {"io.buildpacks.base.added", "new"},
                                     {"io.buildpacks.rebasable", "false"},
                                     {"io.custom.stack", "def"}});
    auto labels = put(app, run).image.config().labels;
    labels.erase(metadata_label);
    CHECK(labels == Labels{{"io.buildpacks.stack.distro.name", "ubuntu"},
                           {"io.buildpacks.stack.changed", "v2"},
                           {"io.buildpacks.base.added", "new"},
                           {"io.custom.old", "abc"},
                           {"io.buildpacks.rebasable", "true"}});
}

TEST_CASE("an image that says that it is not rebasable needs force") {
    App app;
    app.labels["io.buildpacks.rebasable"] = "false";
    check_needs_force(app, make_run(tiny), "not to be rebased");
    app.labels["io.buildpacks.rebasable"] = "";
    CHECK_NOTHROW(put(app, make_run(tiny)));
    app.labels = {{"io.buildpacks.rebasable", "false"}, {"io.buildpacks.stack.id", "x"}};
    app.platform_api = "0.11"; // which knows no such label
    CHECK_NOTHROW(put(app, make_run(tiny, {{"io.buildpacks.stack.id", "x"}})));
}

TEST_CASE("another processor or another distribution needs force, and is then the image's own") {
    App app;
    app.labels = {{"io.buildpacks.base.distro.name", "debian"},
                  {"io.buildpacks.base.distro.version", "12"}};
    const auto run_of = [&](const char* name, const char* version) {
        return make_run(tiny, {{"io.buildpacks.base.distro.name", name},
                               {"io.buildpacks.base.distro.version", version}});
    };
    CHECK_NOTHROW(put(app, run_of("debian", "12")));
    CHECK_NOTHROW(put(app, run_of("debian", "")));
    CHECK_NOTHROW(put(app, make_run(tiny))); // it does not say
    check_needs_force(app, run_of("debian", "13"), "debian 13");
    check_needs_force(app, run_of("ubuntu", "12"), "ubuntu 12");
    check_needs_force(App(), run_of("debian", "12"), "debian 12");
    check_needs_force(App(), make_run(tiny, {}, {"new top"}, "arm64"), "linux/arm64");
    const auto forced = put(app, run_of("ubuntu", "24.04"), Force::yes).image;
    CHECK(forced.config().labels.at("io.buildpacks.base.distro.name") == "ubuntu");
    const auto arm = put(App(), make_run(tiny, {}, {"new top"}, "arm64"), Force::yes).image;
    CHECK(arm.architecture() == "arm64");
}

TEST_CASE("images of before targets go by their stack and its mixins, with force or without") {
    App app;
    app.platform_api = GENERATE("0.11", "");
    app.labels = {{"io.buildpacks.stack.id", "bionic"},
                  {"io.buildpacks.stack.mixins", R"(["mixin-1", "run:mixin-2"])"}};
    const auto run_of = [](const char* stack, const char* mixins) {
        return make_run(
            tiny, {{"io.buildpacks.stack.id", stack}, {"io.buildpacks.stack.mixins", mixins}});
    };
    CHECK_NOTHROW(put(app, run_of("bionic", R"(["mixin-1", "mixin-2", "mixin-3"])")));
    CHECK_NOTHROW(put(app, run_of("bionic", R"(["run:mixin-1", "run:mixin-2"])")));
    check_refused(app, run_of("bionic", R"(["run:mixin-2"])"), "lacks the mixins mixin-1");
    check_refused(app, run_of("bionic", "null"), "lacks the mixins mixin-1, mixin-2");
    check_refused(app, run_of("cflinuxfs3", R"(["mixin-1", "mixin-2"])"), "cflinuxfs3");
    check_refused(app, make_run(tiny), "the run image names no stack");
    app.labels.erase("io.buildpacks.stack.id");
    check_refused(app, run_of("bionic", "null"), "the app's image names no stack");
    app.labels = {{"io.buildpacks.stack.id", "bionic"}, {"io.buildpacks.stack.mixins", "no JSON"}};
    check_refused(app, run_of("bionic", "null"), "io.buildpacks.stack.mixins");
}

TEST_CASE("our own label names a repository: any registry and tag of it will do") {
    const App app;
    CHECK_NOTHROW(put(app, make_run("other.example/stacks/tiny:v3")));
    CHECK_NOTHROW(put(app, make_run("127.0.0.1:5000/stacks/tiny@" + Digest::of("x").render())));
    check_needs_force(app, make_run("127.0.0.1:5000/stacks/other:new"), "stacks/other");
    const auto run = make_run("127.0.0.1:5000/stacks/other:new");
    const auto metadata = metadata_of(put(app, run, Force::yes).image);
    CHECK(metadata["runImage"]["image"] == "stacks/other");
    CHECK(metadata["runImage"]["reference"] == "stacks/other@" + run.digest.render());
    CHECK(metadata["stack"] == json{{"runImage", {{"image", "stacks/other"}}}});
}

TEST_CASE("a lifecycle's label names images with their tags, and their mirrors") {
    App app;
    app.name_run_image("registry.example/run:jammy", {"mirror.example/run", "some-mirror"});
    CHECK_NOTHROW(put(app, make_run("registry.example/run:jammy")));
    CHECK_NOTHROW(put(app, make_run("mirror.example/run")));
    CHECK_NOTHROW(put(app, make_run("mirror.example/run:latest")));
    CHECK_NOTHROW(put(app, make_run("index.docker.io/some-mirror")));
    check_needs_force(app, make_run("mirror.example/run:new-tag"), "registry.example/run:jammy");
    check_needs_force(app, make_run("registry.example/run:noble"), "registry.example/run:jammy");
    const auto run = make_run("registry.example/run:jammy");
    const auto metadata = metadata_of(put(app, run).image);
    CHECK(metadata["runImage"]["reference"] == "registry.example/run@" + run.digest.render());
    CHECK(metadata["runImage"]["image"] == "registry.example/run:jammy");
    CHECK(metadata["runImage"]["mirrors"].size() == 2);
    const auto forced =
        metadata_of(put(app, make_run("registry.example/run:noble"), Force::yes).image);
    CHECK(forced["runImage"]["image"] == "registry.example/run:noble");
    CHECK_FALSE(forced["runImage"].contains("mirrors"));
    CHECK(forced["stack"] == json{{"runImage", {{"image", "registry.example/run:noble"}}}});
}

TEST_CASE("a lifecycle's label is compared without digests, and names by force what was given") {
    App app;
    app.name_run_image("registry.example/run");
    const auto digest = "@" + make_run(tiny).digest.render();
    CHECK_NOTHROW(put(app, make_run("registry.example/run" + digest)));
    CHECK_NOTHROW(put(app, make_run("registry.example/run:latest" + digest)));
    for (const std::string name : {"registry.example/other", "registry.example/run:jammy"}) {
        check_needs_force(app, make_run(name + digest), "registry.example/run");
        const auto metadata = metadata_of(put(app, make_run(name + digest), Force::yes).image);
        CHECK(metadata["runImage"]["image"] == name + digest);
        CHECK(metadata["stack"] == json{{"runImage", {{"image", name + digest}}}});
    }
}

TEST_CASE("an image whose run image cannot be found is refused") {
    App app;
    app.metadata["runImage"]["topLayer"] = diff_id("nobody's");
    check_refused(app, make_run(tiny), diff_id("nobody's"));
    app.metadata["runImage"].erase("topLayer");
    check_refused(app, make_run(tiny), "no layer of a run image");
    app.metadata.erase("runImage");
    check_refused(app, make_run(tiny), "names no run image");
    app.metadata = nullptr;
    check_refused(app, make_run(tiny), "buildpacks did not make it");
}

TEST_CASE("of several layers with the same content the run image's last one is found") {
    App app;
    app.layers = {"empty", "old base", "empty", "app", "empty"};
    app.metadata["runImage"]["topLayer"] = diff_id("empty");
    app.metadata["app"].push_back({{"sha", diff_id("empty")}});
    const auto layers = put(app, make_run(tiny)).image.layers();
    REQUIRE(layers.size() == 4);
    CHECK(layers[1].diff_id == Digest::of("new top diff"));
    CHECK(layers[2].diff_id == Digest::of("app diff"));
    CHECK(layers[3].diff_id == Digest::of("empty diff"));
}
