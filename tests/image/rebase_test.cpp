#include "image/rebase.h"

#include "base/error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using image::Digest;
using image::Image;
using nlohmann::json;

namespace {

image::Layer make_layer(const std::string& name) {
    return {{std::string(image::media_type::layer_gzip), Digest::of(name), 10},
            Digest::of(name + " diff"),
            "ISA-L"};
}

// Of these layers, with one entry of history that made none after them.
Image make_base(const std::string& name, std::size_t layers, json platform = json::object()) {
    json config{{"architecture", "amd64"},
                {"os", "linux"},
                {"config", {{"Env", {"PATH=/" + name}}, {"StopSignal", "SIG" + name}}},
                {"rootfs", {{"type", "layers"}, {"diff_ids", json::array()}}},
                {"history", json::array()}};
    config.update(platform);
    json manifest{{"schemaVersion", 2}, {"layers", json::array()}};
    for (std::size_t i = 0; i < layers; ++i) {
        const auto layer = make_layer(name + std::to_string(i));
        config["rootfs"]["diff_ids"].push_back(layer.diff_id.render());
        config["history"].push_back({{"created_by", name + std::to_string(i)}});
        manifest["layers"].push_back({{"mediaType", layer.descriptor.media_type},
                                      {"digest", layer.descriptor.digest.render()},
                                      {"size", layer.descriptor.size}});
    }
    config["history"].push_back({{"created_by", "CMD of " + name}, {"empty_layer", true}});
    const auto text = config.dump();
    manifest["config"] = {{"mediaType", image::media_type::config},
                          {"digest", Digest::of(text).render()},
                          {"size", text.size()}};
    return Image::parse(manifest.dump(), text);
}

Image make_app(const Image& base) {
    return base.with_created("1980-01-01T00:00:01Z")
        .with_layers({make_layer("one"), make_layer("two")}, {{"one"}, {"env", true}, {"two"}});
}

std::vector<std::string> history_of(const Image& image) {
    const auto config = json::parse(image.render_config());
    std::vector<std::string> made;
    for (const auto& entry : config.at("history")) made.push_back(entry.at("created_by"));
    return made;
}

} // namespace

TEST_CASE("an image on another base has its layers and its history below its own") {
    const auto old = make_base("old", 2), fresh = make_base("new", 3);
    const auto made = image::on_base(make_app(old), 2, fresh);
    REQUIRE(made.layers().size() == 5);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(made.layers()[i].diff_id == fresh.layers()[i].diff_id);
        CHECK(made.layers()[i].descriptor.digest == fresh.layers()[i].descriptor.digest);
    }
    CHECK(made.layers()[4].diff_id == Digest::of("two diff"));
    CHECK(made.layers()[4].compressor == "ISA-L");
    CHECK(history_of(made) ==
          std::vector<std::string>{"new0", "new1", "new2", "CMD of new", "one", "env", "two"});
    const auto again = Image::parse(made.render_manifest(), made.render_config());
    CHECK(again.digest() == made.digest());
}

TEST_CASE("the configuration of an image on another base stays its own, but for the platform") {
    const auto app = make_app(make_base("old", 1, {{"variant", "v7"}, {"os.version", "1"}}));
    const auto made =
        image::on_base(app, 1, make_base("new", 1, {{"architecture", "arm64"}, {"variant", "v8"}}));
    const auto config = json::parse(made.render_config());
    CHECK(config["config"]["Env"] == json{"PATH=/old"});
    CHECK(config["config"]["StopSignal"] == "SIGold");
    CHECK(config["created"] == "1980-01-01T00:00:01Z");
    CHECK(config["architecture"] == "arm64");
    CHECK_FALSE(config.contains("os.version"));
    CHECK(made.variant() == "v8");
    CHECK(image::on_base(app, 1, make_base("new", 1)).variant().empty());
}

TEST_CASE("an image on the base that it has is the same, byte for byte") {
    const auto base = make_base("old", 2);
    const auto app = make_app(base);
    CHECK(image::on_base(app, 2, base).digest() == app.digest());
    const auto there_and_back =
        image::on_base(image::on_base(app, 2, make_base("new", 4)), 4, base);
    CHECK(there_and_back.digest() == app.digest());
}

TEST_CASE("what is below the base cannot be taken away") {
    CHECK_THROWS_AS(image::on_base(make_base("old", 2), 3, make_base("new", 1)), base::Error);
}
