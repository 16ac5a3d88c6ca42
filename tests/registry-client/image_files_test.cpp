#include "registry/image_store.h"

#include "base/fd.h"
#include "base/in_use.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/xattr.h>

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

namespace {

struct Layers {
    base::TempDir directory{"slipway-test"};
    std::vector<fs::path> paths{directory.path() / "top", directory.path() / "bottom"};

    Layers() {
        for (const auto& path : paths) fs::create_directories(path / "etc/env");
    }
    Layers& file(std::size_t layer, const std::string& name, const std::string& bytes) {
        base::write_file(paths[layer] / "etc/env" / name, bytes);
        return *this;
    }
    Files read() const { return registry::read_image_directory(paths, "etc/env"); }
};

} // namespace

TEST_CASE("a directory of an image has the files of all its layers, the topmost of each name") {
    Layers layers;
    layers.file(0, "A", "top").file(1, "A", "bottom").file(1, "B", "bottom");
    CHECK(layers.read() == Files{{"A", "top"}, {"B", "bottom"}});
    CHECK(registry::read_image_directory(layers.paths, "not/there").empty());
}

TEST_CASE("what a layer above took away is not among an image's files") {
    Layers layers;
    layers.file(1, "A", "bottom").file(1, "B", "bottom");
    SECTION("a link or a whiteout in place of a file") {
        fs::create_symlink("/etc/passwd", layers.paths[0] / "etc/env/A");
        CHECK(layers.read() == Files{{"B", "bottom"}});
    }
    SECTION("a directory that began anew") {
        const auto place = layers.paths[0] / "etc";
        REQUIRE(::setxattr(place.c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
        CHECK(layers.read().empty());
    }
    SECTION("something else in the directory's place") {
        fs::remove_all(layers.paths[0] / "etc");
        base::write_file(layers.paths[0] / "etc", "");
        CHECK(layers.read().empty());
    }
}

TEST_CASE("the layers of an image are in use from the moment that somebody has their paths") {
    const base::TempDir directory("slipway-test");
    const registry::ImageStore store(directory.path(), {});
    const auto tar = image::Digest::of("a layer");
    const auto layer = directory.path() / "layers" / tar.hex();
    fs::create_directory(layer); // unpacked by an earlier build
    CHECK(base::while_unused(layer, [] {}));
    const auto image =
        image::Image(image::this_architecture())
            .with_layers({{.descriptor = {std::string(image::media_type::layer_gzip), tar, 1},
                           .diff_id = tar}},
                         {{"a test"}});
    const auto paths = store.unpack(
        {image::Reference::parse("127.0.0.1:1/a@" + image.digest().render()), image}, {});
    CHECK(paths == std::vector{layer});
    CHECK_FALSE(base::while_unused(layer, [] {}));
}
