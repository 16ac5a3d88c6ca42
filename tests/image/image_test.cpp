#include "image/image.h"

#include "base/error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using image::Descriptor;
using image::Digest;
using image::Image;
using nlohmann::json;

namespace {

image::Layer make_layer(const std::string& name,
                        std::string_view type = image::media_type::layer_gzip) {
    return {{std::string(type), Digest::of(name), 10}, Digest::of(name + " diff")};
}

json base_config() {
    return {
        {"architecture", "amd64"},
        {"os", "linux"},
        {"created", "2020-02-02T02:02:02Z"},
        {"author", "someone"},
        {"docker_version", "1.2.3"},
        {"container", "abc"},
        {"config",
         {{"Env", {"PATH=/bin", "A=b"}},
          {"Cmd", {"sh"}},
          {"Labels", {{"b", "2"}, {"a", "1"}}},
          {"ExposedPorts", {{"80/tcp", json::object()}}},
          {"StopSignal", "SIGINT"},
          {"Healthcheck", {{"Test", {"CMD", "true"}}}}}},
        {"rootfs", {{"type", "layers"}, {"diff_ids", {Digest::of("base diff").render()}}}},
        {"history", {{{"created_by", "base"}}, {{"created_by", "ENV"}, {"empty_layer", true}}}}};
}

json manifest_of(const std::string& config, bool docker) {
    return {
        {"schemaVersion", 2},
        {"mediaType", docker ? image::media_type::docker_manifest : image::media_type::manifest},
        {"config",
         {{"mediaType", docker ? image::media_type::docker_config : image::media_type::config},
          {"digest", Digest::of(config).render()},
          {"size", config.size()}}},
        {"layers",
         {{{"mediaType",
            docker ? image::media_type::docker_layer_gzip : image::media_type::layer_gzip},
           {"digest", Digest::of("base").render()},
           {"size", 10},
           {"urls", {"http://169.254.169.254/"}}}}}};
}

Image base_image(bool docker = true) {
    const std::string config = base_config().dump();
    return Image::parse(manifest_of(config, docker).dump(), config);
}

} // namespace

TEST_CASE("an image on top of a Docker one has OCI types alone") {
    const auto made = base_image().with_layers({make_layer("app")}, {{"ours"}});
    const auto manifest = json::parse(made.render_manifest());
    CHECK(manifest["mediaType"] == image::media_type::manifest);
    CHECK(manifest["config"]["mediaType"] == image::media_type::config);
    REQUIRE(manifest["layers"].size() == 2);
    for (const auto& layer : manifest["layers"]) {
        CHECK(layer["mediaType"] == image::media_type::layer_gzip);
        CHECK_FALSE(layer.contains("urls"));
    }
    CHECK(manifest["config"]["digest"] == Digest::of(made.render_config()).render());
    CHECK(manifest["config"]["size"] == made.render_config().size());
}

TEST_CASE("what the base image says and we do not model is carried along") {
    auto config = base_image().config();
    config.user = "1000:1000";
    config.command = {};
    config.entrypoint = {"/cnb/process/web"};
    const auto made = base_image()
                          .with_layers({make_layer("app")}, {{"ours"}})
                          .with_config(config)
                          .with_created("1980-01-01T00:00:01Z");
    const auto rendered = json::parse(made.render_config());
    CHECK(rendered["author"] == "someone");
    CHECK(rendered["docker_version"] == "1.2.3");
    CHECK_FALSE(rendered.contains("container"));
    CHECK(rendered["config"]["ExposedPorts"].contains("80/tcp"));
    CHECK(rendered["config"]["StopSignal"] == "SIGINT");
    CHECK(rendered["config"]["Healthcheck"]["Test"][1] == "true");
    CHECK(rendered["config"]["Env"] == json{"PATH=/bin", "A=b"});
    CHECK(rendered["config"]["User"] == "1000:1000");
    CHECK_FALSE(rendered["config"].contains("Cmd"));
    CHECK(rendered["rootfs"]["diff_ids"].size() == 2);
}

TEST_CASE("history keeps the base's entries and dates ours as the image") {
    const auto made = base_image()
                          .with_layers({make_layer("app")}, {{"set", true}, {"ours"}})
                          .with_created("1980-01-01T00:00:01Z");
    const auto history = json::parse(made.render_config())["history"];
    REQUIRE(history.size() == 4);
    CHECK(history[0]["created_by"] == "base");
    CHECK(history[1]["empty_layer"] == true);
    CHECK(history[2]["empty_layer"] == true);
    CHECK(history[3]["created_by"] == "ours");
    CHECK(history[3]["created"] == "1980-01-01T00:00:01Z");
    CHECK_FALSE(history[3].contains("empty_layer"));
}

TEST_CASE("a base image without history gets an entry a layer") {
    auto config = base_config();
    config.erase("history");
    const auto text = config.dump();
    const auto made = Image::parse(manifest_of(text, false).dump(), text)
                          .with_layers({make_layer("app")}, {{"ours"}});
    CHECK(json::parse(made.render_config())["history"].size() == 2);
}

TEST_CASE("the configuration's keys have the order of the specification") {
    const auto text = base_image().with_layers({make_layer("app")}, {{"ours"}}).render_config();
    std::size_t before = 0;
    for (const char* key : {"\"created\"", "\"author\"", "\"architecture\"", "\"os\"", "\"config\"",
                            "\"ExposedPorts\"", "\"Env\"", "\"Cmd\"", "\"Labels\"",
                            "\"StopSignal\"", "\"Healthcheck\"", "\"rootfs\"", "\"history\""}) {
        INFO(key);
        const auto at = text.find(key);
        REQUIRE(at != text.npos);
        CHECK(at >= before);
        before = at;
    }
    CHECK(text.find('\n') == text.npos);
}

TEST_CASE("an image that is parsed and rendered again is the same") {
    const auto made = base_image().with_layers({make_layer("app")}, {{"ours"}});
    const auto again = Image::parse(made.render_manifest(), made.render_config());
    CHECK(again.render_config() == made.render_config());
    CHECK(again.digest() == made.digest());
    CHECK(again.total_size() == 20 + made.render_config().size());
}

TEST_CASE("the digest of an image depends on its content alone") {
    image::ContainerConfig config;
    config.environment = {"B=2", "A=1"};
    config.labels = {{"z", "\xc3\xbc"}, {"a", "<&>"}};
    config.working_directory = "/workspace";
    const auto made = Image("amd64")
                          .with_layers({make_layer("one"), make_layer("two")}, {{"one"}, {"two"}})
                          .with_config(config);
    CHECK(made.render_config() ==
          "{\"created\":\"1980-01-01T00:00:01Z\",\"architecture\":\"amd64\",\"os\":\"linux\","
          "\"config\":{\"Env\":[\"B=2\",\"A=1\"],\"WorkingDir\":\"/workspace\","
          "\"Labels\":{\"a\":\"<&>\",\"z\":\"\xc3\xbc\"}},\"rootfs\":{\"type\":\"layers\","
          "\"diff_ids\":[\"" +
              Digest::of("one diff").render() + "\",\"" + Digest::of("two diff").render() +
              "\"]},\"history\":[{\"created\":\"1980-01-01T00:00:01Z\",\"created_by\":\"one\"},"
              "{\"created\":\"1980-01-01T00:00:01Z\",\"created_by\":\"two\"}]}");
    CHECK(made.digest() == Digest::of(made.render_manifest()));
}

TEST_CASE("a manifest that contradicts itself is refused") {
    const std::string config = base_config().dump();
    const json good = manifest_of(config, true);
    const auto refuse = [&](const std::function<void(json&)>& change) {
        json bad = good;
        change(bad);
        INFO(bad.dump());
        CHECK_THROWS_AS(Image::parse(bad.dump(), config), base::Error);
    };
    CHECK_NOTHROW(Image::parse(good.dump(), config));
    refuse([](json& m) { m["schemaVersion"] = 1; });
    refuse([](json& m) { m["mediaType"] = "application/json"; });
    refuse([](json& m) { m["config"]["digest"] = Digest::of("other").render(); });
    refuse([](json& m) { m["config"]["digest"] = "sha256:../../etc/passwd"; });
    refuse([](json& m) { m["config"]["size"] = 1; });
    refuse([](json& m) { m["config"]["mediaType"] = "application/vnd.some.chart"; });
    refuse([](json& m) { m["layers"].push_back(m["layers"][0]); });
    refuse([](json& m) { m["layers"][0]["size"] = -1; });
    refuse([](json& m) { m["layers"][0]["size"] = "10"; });
    refuse([](json& m) { m["layers"][0]["mediaType"] = "application/x-unknown"; });
    refuse([](json& m) { m["layers"] = "none"; });
    refuse([](json& m) { m.erase("config"); });
    CHECK_THROWS_AS(Image::parse("[]", config), base::Error);
    CHECK_THROWS_AS(Image::parse("{", config), base::Error);
}

TEST_CASE("an index answers with the manifest of our architecture") {
    const auto entry = [](const char* os, const char* architecture, const char* name) {
        return json{{"mediaType", image::media_type::manifest},
                    {"digest", Digest::of(name).render()},
                    {"size", 5},
                    {"platform", {{"os", os}, {"architecture", architecture}}}};
    };
    for (const auto type : {image::media_type::index, image::media_type::docker_manifest_list}) {
        const std::string text =
            json{{"schemaVersion", 2},
                 {"mediaType", type},
                 {"manifests",
                  {entry("unknown", "unknown", "attestation"), entry("windows", "amd64", "win"),
                   entry("linux", "arm64", "arm"), entry("linux", "amd64", "amd")}}}
                .dump();
        const image::RawManifest raw{std::string(type), text, Digest::of(text)};
        CHECK(image::choose_from_index(raw, "amd64") == Digest::of("amd"));
        CHECK(image::choose_from_index(raw, "arm64") == Digest::of("arm"));
        try {
            image::choose_from_index(raw, "riscv64");
            FAIL("an architecture that is not there was found");
        } catch (const base::Error& error) {
            CHECK(error.kind() == base::ErrorKind::not_found);
            CHECK(error.hint().find("linux/arm64") != std::string::npos);
        }
    }
    const std::string plain = manifest_of("{}", false).dump();
    CHECK_FALSE(image::choose_from_index(
        {std::string(image::media_type::manifest), plain, Digest::of(plain)}, "amd64"));
}

TEST_CASE("what compressed a layer stands in the manifest and is read again") {
    auto layer = make_layer("app");
    layer.compressor = "ISA-L 2.30.0 level 1";
    const auto made = base_image().with_layers({layer, make_layer("other")}, {{"a"}, {"b"}});
    const auto manifest = json::parse(made.render_manifest());
    CHECK(manifest["layers"][1]["annotations"] ==
          json{{"dev.slipway.compressor", "ISA-L 2.30.0 level 1"}});
    CHECK_FALSE(manifest["layers"][2].contains("annotations"));
    const auto back = Image::parse(made.render_manifest(), made.render_config());
    CHECK(back.layers()[1].compressor == "ISA-L 2.30.0 level 1");
    CHECK(back.layers()[2].compressor.empty());
    CHECK(back.render_manifest() == made.render_manifest());
}

TEST_CASE("an annotation that is no short line is not taken for ours") {
    for (const std::string& text :
         {std::string(101, 'x'), std::string("a\nb"), std::string("\x1b[1m")}) {
        auto layer = make_layer("app");
        layer.compressor = text;
        const auto made = base_image().with_layers({layer}, {{"a"}});
        CHECK(Image::parse(made.render_manifest(), made.render_config())
                  .layers()[1]
                  .compressor.empty());
    }
}
