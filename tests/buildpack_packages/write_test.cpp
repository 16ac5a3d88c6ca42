#include "packages/inspect.h"
#include "packages/write.h"

#include "folders.h"

#include "base/error.h"
#include "base/temp_dir.h"
#include "image/layer_writer.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using Catch::Matchers::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json label_of(const image::Image& image, const char* name) {
    return json::parse(image.config().labels.at(name));
}

image::Image build_image(std::vector<std::string> environment = {"CNB_USER_ID=1000",
                                                                 "CNB_GROUP_ID=1001"}) {
    image::ContainerConfig config;
    config.environment = std::move(environment);
    config.labels = {{"io.buildpacks.stack.id", "some.stack"},
                     {"io.buildpacks.base.distro.name", "debian"},
                     {"io.buildpacks.base.distro.version", "12"}};
    return image::Image("amd64").with_config(config);
}

// A composite a/meta of a/one and, perhaps, a/two.
class Packs {
  public:
    Packs() : directory_("slipway-test-") {
        fs::create_directories(scratch());
        folders::make(path("one"), "a/one", "1.0.0");
        folders::make(path("two"), "a/two", "2.0.0", "[[targets]]\nos = \"linux\"\n");
        folders::make_composite(path("meta"), "a/meta",
                                "[[order]]\n[[order.group]]\nid = \"a/one\"\n"
                                "version = \"1.0.0\"\n[[order.group]]\nid = \"a/two\"\n"
                                "version = \"2.0.0\"\noptional = true\n");
    }
    fs::path path(const std::string& name) const { return directory_.path() / name; }
    fs::path scratch() const { return path("scratch"); }
    packages::Contents all() const {
        return folders::contents({path("meta"), path("two"), path("one")});
    }
    packages::WrittenImage package() const {
        return packages::write_buildpackage(all(), {"a/meta"}, "amd64", scratch());
    }
    packages::BuilderToml builder() const {
        packages::BuilderToml toml;
        toml.order = {{{{"a/meta"}, "builder.toml, line 7"}}};
        toml.build_image = "example.com/build";
        toml.run_images = {{"example.com/run", {"mirror.example.com/run"}}};
        return toml;
    }
    packages::WrittenImage write(const packages::BuilderToml& toml,
                                 const image::Image& base = build_image()) const {
        return packages::write_builder(toml, all(), base, "1.2.3", scratch());
    }

  private:
    base::TempDir directory_;
};

} // namespace

TEST_CASE("a buildpackage has one layer for each buildpack and the labels of the specification") {
    const Packs packs;
    const auto written = packs.package();
    REQUIRE(written.image.layers().size() == 3);
    CHECK(label_of(written.image, "io.buildpacks.buildpackage.metadata") ==
          json::parse(R"({"id":"a/meta","version":"1.0.0","homepage":"https://example.com",
                          "stacks":[{"id":"*"}]})"));
    const auto layers = label_of(written.image, "io.buildpacks.buildpack.layers");
    CHECK(layers["a/meta"]["1.0.0"]["order"] ==
          json::parse(R"([{"group":[{"id":"a/one","version":"1.0.0"},
                                    {"id":"a/two","version":"2.0.0","optional":true}]}])"));
    CHECK(layers["a/two"]["2.0.0"]["targets"] == json::parse(R"([{"os":"linux"}])"));
    CHECK(layers["a/one"]["1.0.0"]["api"] == "0.10");
    // Sorted by id, whatever the order they came in.
    CHECK(layers["a/meta"]["1.0.0"]["layerDiffID"] == written.image.layers()[0].diff_id.render());
    CHECK(layers["a/one"]["1.0.0"]["layerDiffID"] == written.image.layers()[1].diff_id.render());
}

TEST_CASE("the same folders give the same buildpackage on every machine") {
    const auto written = Packs().package();
    CHECK(written.image.layers()[1].diff_id.render() ==
          "sha256:485aab7e9769c9b15cd1d704b9ca21619fa3ef5a476ac79b617468644597aaa5");
    CHECK(written.image.digest().render() ==
          "sha256:237997906d807581c96501fca68ecd76a1cc2a00a8db17d5ca4a203abcb36e6b");
}

TEST_CASE("neither the umask of a folder nor its git directory changes the buildpackage") {
    const Packs packs;
    const auto before = packs.package().image.digest().render();
    ::chmod((packs.path("one") / "buildpack.toml").c_str(), 0600);
    ::chmod((packs.path("one") / "bin").c_str(), 0700);
    ::chmod((packs.path("one") / "bin/build").c_str(), 0700);
    fs::create_directories(packs.path("one") / ".git");
    base::write_file(packs.path("one") / ".git/index", "of this clone alone");
    CHECK(packs.package().image.digest().render() == before);
    ::chmod((packs.path("one") / "buildpack.toml").c_str(), 0755);
    CHECK(packs.package().image.digest().render() != before);
}

TEST_CASE("a buildpackage names the stacks that suit all of its buildpacks") {
    const base::TempDir directory("slipway-test-");
    const auto path = [&](const char* name) { return directory.path() / name; };
    fs::create_directories(path("scratch"));
    folders::make(path("any"), "a/any", "1.0.0", "[[stacks]]\nid = \"*\"\nmixins = [\"x\"]\n");
    folders::make(path("two"), "a/two", "1.0.0",
                  "[[stacks]]\nid = \"s1\"\nmixins = [\"y\"]\n[[stacks]]\nid = \"s2\"\n");
    folders::make(path("three"), "a/three", "1.0.0", "[[stacks]]\nid = \"s1\"\n");
    folders::make(path("other"), "a/zother", "1.0.0", "[[stacks]]\nid = \"s3\"\n");
    const auto write = [&](const std::vector<fs::path>& all) {
        return packages::write_buildpackage(folders::contents(all), {"a/any"}, "amd64",
                                            path("scratch"));
    };
    const auto written = write({path("any"), path("two"), path("three")});
    CHECK(label_of(written.image, "io.buildpacks.buildpackage.metadata")["stacks"] ==
          json::parse(R"([{"id":"s1","mixins":["x","y"]}])"));
    CHECK_THROWS_WITH(write({path("any"), path("two"), path("other")}),
                      Contains("a/zother@1.0.0 wants another stack"));
}

TEST_CASE("a composite whose buildpacks are not all there is refused") {
    const Packs packs;
    const auto contents = folders::contents({packs.path("meta"), packs.path("one")});
    CHECK_THROWS_WITH(packages::write_buildpackage(contents, {"a/meta"}, "amd64", packs.scratch()),
                      Contains("the order of a/meta@1.0.0: there is no buildpack \"a/two@2.0.0\""));
}

TEST_CASE("a buildpack that could not run is refused when it is packaged") {
    const base::TempDir directory("slipway-test-");
    const auto folder = folders::make(directory.path() / "one", "a/one", "1.0.0");
    ::chmod((folder / "bin/build").c_str(), 0644);
    CHECK_THROWS_WITH(folders::contents({folder}), Contains("bin/build that is not executable"));
    fs::remove(folder / "bin/build");
    CHECK_THROWS_WITH(folders::contents({folder}), Contains("has no bin/build"));
    const auto outside = folders::make(directory.path() / "outside", "a/odd", "../../etc");
    CHECK_THROWS_WITH(folders::contents({outside}), Contains("cannot be the version of a/odd"));
    const auto odd = folders::make(directory.path() / "odd", "a/odd", "{{.version}}");
    CHECK_THROWS_WITH(folders::contents({odd}), Contains("not of the form X.Y.Z"));
    base::write_file(odd / "buildpack.toml",
                     "api = \"0.99\"\n[buildpack]\nid = \"a/new\"\nversion = \"1.0.0\"\n");
    CHECK_THROWS_WITH(folders::contents({odd}), Contains("0.99"));
}

TEST_CASE("a .cnb file is the same for the same folders and reads back as it was written") {
    const Packs packs;
    const auto written = packs.package();
    const auto digest =
        packages::write_cnb_file(written, packs.path("one.cnb"), packs.scratch(), {});
    const auto again = packs.package();
    fs::remove_all(packs.scratch() / "layout");
    packages::write_cnb_file(again, packs.path("two.cnb"), packs.scratch(), {});
    CHECK(image::digest_of_file(packs.path("one.cnb")) ==
          image::digest_of_file(packs.path("two.cnb")));
    if (::geteuid() != 0) return; // owners
    fs::create_directories(packs.path("unpacked"));
    const auto file =
        packages::read_cnb_file(packs.path("one.cnb"), packs.path("unpacked"), "amd64", {});
    CHECK(file.digest == digest);
    CHECK(packages::describe_buildpackage(file.image)["id"] == "a/meta");
}

TEST_CASE("a builder has the labels that pack reads") {
    const Packs packs;
    auto toml = packs.builder();
    toml.description = "Ours";
    toml.system_pre = {{{"a/two"}, "builder.toml, line 9"}};
    const auto image = packs.write(toml).image;
    const auto metadata = label_of(image, "io.buildpacks.builder.metadata");
    CHECK(metadata["description"] == "Ours");
    CHECK(metadata["createdBy"] == json::parse(R"({"name":"Slipway","version":"1.2.3"})"));
    CHECK(metadata["stack"]["runImage"] ==
          json::parse(R"({"image":"example.com/run","mirrors":["mirror.example.com/run"]})"));
    CHECK(metadata["images"][0] == metadata["stack"]["runImage"]);
    CHECK(metadata["buildpacks"].size() == 3);
    CHECK(label_of(image, "io.buildpacks.buildpack.order") ==
          json::parse(R"([{"group":[{"id":"a/meta","version":"1.0.0"}]}])"));
    CHECK(label_of(image, "io.buildpacks.buildpack.system")["pre"]["buildpacks"] ==
          json::parse(R"([{"id":"a/two","version":"2.0.0"}])"));
    CHECK(image.config().labels.at("io.buildpacks.stack.id") == "some.stack");
    CHECK(image.layers().size() == 4);
}

TEST_CASE("a builder is whole where it is stored, with the layers of its build image") {
    const Packs packs;
    const auto layer =
        image::write_layer_file(packs.path("base-layer"), {}, [](image::LayerWriter& writer) {
            writer.add_file("etc/base", 0644, {}, "of the build image");
        });
    const auto base = build_image().with_layers({layer.layer}, {{"base", false}});
    const auto from = image::open_oci_layout(packs.path("from"));
    from->write_blob({layer.layer.descriptor, layer.path}, {});

    const auto written = packs.write(packs.builder(), base);
    const auto to = image::open_oci_layout(packs.path("to"));
    const auto digest = packages::store_image(written, {from.get(), ""}, *to, "latest", {});
    const auto stored = image::read_image(*to, "latest", "amd64", "the builder", {});
    CHECK(digest == written.image.digest());
    REQUIRE(stored.layers().size() == 5);
    CHECK(stored.layers().front().diff_id == layer.layer.diff_id);
    for (const auto& one : stored.layers())
        CHECK_NOTHROW(to->read_blob(one.descriptor, [](std::string_view) {}, {}));
}

TEST_CASE("the same builder.toml and folders give the same builder") {
    CHECK(Packs().write(Packs().builder()).image.digest().render() ==
          "sha256:7b384974e24dd3d84f48e8e3dcb4a3ded75d38f7e3739a4d6c874359b15167aa");
}

TEST_CASE("a builder's order is checked against what is there, by the line of builder.toml") {
    const Packs packs;
    auto toml = packs.builder();
    toml.order[0][0].element = {"a/none"};
    CHECK_THROWS_WITH(packs.write(toml),
                      Contains("builder.toml, line 7: there is no buildpack \"a/none\""));
    toml.order[0][0].element = {"a/one", "3.0.0"};
    CHECK_THROWS_WITH(packs.write(toml), Contains("line 7: there is no buildpack \"a/one@3.0.0\""));
    try {
        packs.write(toml);
    } catch (const base::Error& error) {
        CHECK(error.hint() == "There is a/one@1.0.0.");
    }
}

TEST_CASE("of two versions one must be named") {
    const Packs packs;
    folders::make(packs.path("newer"), "a/one", "1.1.0");
    const auto contents = folders::contents({packs.path("one"), packs.path("newer")});
    CHECK_THROWS_WITH(packages::find(contents, {"a/one"}, "builder.toml, line 3"),
                      Contains("line 3: there are several versions of \"a/one\""));
    CHECK(packages::find(contents, {"a/one", "1.1.0"}, "").info.version == "1.1.0");
}

TEST_CASE("a build image without the build user's ids is refused by name") {
    const Packs packs;
    CHECK_THROWS_WITH(packs.write(packs.builder(), build_image({"CNB_USER_ID=1000"})),
                      Contains("\"example.com/build\" does not set CNB_GROUP_ID"));
    CHECK_THROWS_WITH(
        packs.write(packs.builder(), build_image({"CNB_USER_ID=root", "CNB_GROUP_ID=1"})),
        Contains("no number in CNB_USER_ID"));
}

TEST_CASE("a buildpack for another system than the build image is refused") {
    const Packs packs;
    const auto two = "[[targets]]\nos = \"linux\"\n[[targets.distros]]\nname = \"ubuntu\"\n";
    folders::make(packs.path("two"), "a/two", "2.0.0", two);
    CHECK_THROWS_WITH(packs.write(packs.builder()),
                      Contains("a/two@2.0.0 does not work on the build image") &&
                          Contains("linux/amd64 (debian 12)"));
}

TEST_CASE("a builder is described with composites' orders inside of its own") {
    const Packs packs;
    const auto described = packages::describe_builder(packs.write(packs.builder()).image);
    CHECK(described["buildpacks"].size() == 3);
    CHECK(described["run_images"][0]["image"] == "example.com/run");
    const auto& meta = described["order"][0]["group"][0];
    CHECK(meta["id"] == "a/meta");
    CHECK(meta["order"][0]["group"][1] ==
          json::parse(R"({"id":"a/two","version":"2.0.0","optional":true})"));
    CHECK(packages::run_images_of(packs.write(packs.builder()).image) ==
          std::vector<std::string>{"example.com/run", "mirror.example.com/run"});
}

TEST_CASE("a folder is described as the buildpackage that it would be") {
    const Packs packs;
    auto from_image = packages::describe_buildpackage(packs.package().image);
    CHECK(packages::describe_contents(packs.all(), {"a/meta"}) == from_image);
}

TEST_CASE("an image that is neither is refused, and a builder is no buildpackage") {
    const Packs packs;
    CHECK_THROWS_WITH(packages::describe_builder(build_image()), Contains("no builder"));
    CHECK_THROWS_WITH(packages::describe_buildpackage(build_image()), Contains("no buildpackage"));
    CHECK_THROWS_WITH(packages::describe_buildpackage(packs.write(packs.builder()).image),
                      Contains("is a builder"));
}

TEST_CASE("labels of a stranger that make no sense are left out or refused, and end") {
    image::ContainerConfig config;
    config.labels = {{"io.buildpacks.builder.metadata", R"({"images":[1],"stack":[]})"},
                     {"io.buildpacks.buildpack.order", R"([1,{"group":[2,{"id":"a/self"}]}])"},
                     {"io.buildpacks.buildpack.layers",
                      R"({"a":1,"a/self":{"1":{"order":[{"group":[{"id":"a/self"},
                                                                  {"id":"a/self"}]}]}}})"}};
    const auto image = image::Image("amd64").with_config(config);
    const auto described = packages::describe_builder(image);
    CHECK(described["order"][0]["group"].empty());
    CHECK(described["order"][1]["group"][0]["order"][0]["group"][1]["id"] == "a/self");
    CHECK(described["buildpacks"].size() == 1);
    CHECK(packages::run_images_of(image).empty());
    for (const char* broken : {"{", R"([[[)", R"({"images":[{"image":2}]})"}) {
        config.labels["io.buildpacks.builder.metadata"] = broken;
        CHECK_THROWS_AS(packages::run_images_of(image.with_config(config)), base::Error);
    }
}
