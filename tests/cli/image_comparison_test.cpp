#include "image_comparison.h"

#include "base/temp_dir.h"
#include "image/layer_writer.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>

namespace {

struct Made {
    std::string deps = "a dependency", page = "hello";
    image::Compression compression = image::Compression::gzip;
    std::string variable = "A=1";
};

// An app with one layer of a buildpack, in a layout of its own.
class Images {
  public:
    cli::FoundImage make(const std::string& name, const Made& made) {
        auto store = image::open_oci_layout(directory_.path() / name);
        const auto deps = layer(*store, "layers/test_pack/deps/lib", made.deps, made.compression);
        const auto app = layer(*store, "workspace/index.html", made.page, made.compression);
        image::ContainerConfig config;
        config.environment = {made.variable};
        config.labels["io.buildpacks.lifecycle.metadata"] =
            R"({"app":[{"sha":")" + app.diff_id.render() +
            R"("}],"buildpacks":[{"key":"test/pack","version":"1","layers":{"deps":{"sha":")" +
            deps.diff_id.render() + R"("}}}]})";
        const auto image = image::Image(image::this_architecture())
                               .with_layers({deps, app}, {{"deps"}, {"app"}})
                               .with_config(config);
        const auto text = image.render_config();
        store->stream_blob([&](const image::ByteSink& sink) { sink(text); }, {});
        image::RawManifest manifest{std::string(image::media_type::manifest),
                                    image.render_manifest(), image.digest()};
        store->write_manifest(manifest, "it", {});
        return {name, std::move(store), std::move(manifest)};
    }

    cli::ImageComparison compare(const Made& before, const Made& after) {
        return cli::compare_images(make("before", before), make("after", after), {});
    }

  private:
    static image::Layer layer(image::BlobStore& store, const std::string& path,
                              const std::string& content, image::Compression compression) {
        return image::store_layer(
                   store, {.compression = compression},
                   [&](image::LayerWriter& writer) { writer.add_file(path, 0644, {}, content); },
                   {})
            .layer;
    }

    base::TempDir directory_{"comparison"};
};

} // namespace

TEST_CASE("an image that came out the same is the same") {
    const auto result = Images().compare({}, {});
    CHECK(result.same_digest);
    CHECK(result.same_content());
    CHECK(result.files.empty());
}

TEST_CASE("of several layers that differ the first is looked into, and all are named") {
    const auto result = Images().compare({}, {.deps = "A dependency", .page = "hello, you"});
    CHECK_FALSE(result.same_digest);
    CHECK(result.layers == std::vector<std::string>{"test/pack: deps", "app"});
    CHECK(result.first_layer == "test/pack: deps");
    REQUIRE(result.files.size() == 1);
    CHECK(result.files[0].path == "layers/test_pack/deps/lib");
    CHECK(result.files[0].what == "content");
}

TEST_CASE("a setting that differs is named when the files are equal") {
    const auto result = Images().compare({}, {.variable = "A=2"});
    CHECK(result.layers.empty());
    CHECK_FALSE(result.same_content());
    REQUIRE(result.settings.size() == 1);
    CHECK(result.settings[0].name == "env A");
    CHECK(result.settings[0].before == "1");
    CHECK(result.settings[0].after == "2");
}

TEST_CASE("files that were only compressed otherwise are the same content in another digest") {
    const auto result = Images().compare({}, {.compression = image::Compression::zstd});
    CHECK_FALSE(result.same_digest);
    CHECK(result.same_content());
    REQUIRE(result.compressors.size() == 2);
    CHECK(result.compressors[0].name == "test/pack: deps");
    CHECK(result.compressors[0].before.find("ISA-L") != std::string::npos);
    CHECK(result.compressors[0].after.find("zstd") != std::string::npos);
}
