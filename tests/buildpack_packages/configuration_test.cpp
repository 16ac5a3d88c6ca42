#include "packages/configuration.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using Catch::Matchers::Contains;

namespace {

class File {
  public:
    File(const char* name, const std::string& text)
        : directory_("slipway-test-"), path_(directory_.path() / name) {
        base::write_file(path_, text);
    }
    const std::filesystem::path& path() const { return path_; }

  private:
    base::TempDir directory_;
    std::filesystem::path path_;
};

packages::BuilderToml builder(const std::string& text) {
    return packages::read_builder_toml(File("builder.toml", text).path());
}
packages::PackageToml package(const std::string& text) {
    return packages::read_package_toml(File("package.toml", text).path());
}

const std::string whole = R"(description = "Ours"
[[buildpacks]]
uri = "../node"
id = "a/node"
version = "1.0.0"
[[buildpacks]]
image = "example.com/go:1"
[[order]]
[[order.group]]
id = "a/node"
version = "1.0.0"
optional = true
[[order.group]]
id = "a/go"
[build]
image = "example.com/build:1"
[[build.env]]
name = "PATH_LIKE"
value = "/x"
suffix = "append"
delim = ":"
[[build.env]]
name = "ONE"
value = "1"
[[run.images]]
image = "example.com/run:1"
mirrors = ["other.example.com/run:1"]
[lifecycle]
version = "0.20.0"
[[system.pre.buildpacks]]
id = "a/first"
)";

} // namespace

TEST_CASE("builder.toml is read whole") {
    const auto toml = builder(whole);
    CHECK(toml.description == "Ours");
    REQUIRE(toml.buildpacks.size() == 2);
    CHECK(toml.buildpacks[0].uri == "../node");
    CHECK(toml.buildpacks[0].id == "a/node");
    CHECK(toml.buildpacks[1].uri == "docker://example.com/go:1");
    REQUIRE(toml.order.size() == 1);
    REQUIRE(toml.order[0].size() == 2);
    CHECK(toml.order[0][0].element.optional);
    CHECK(toml.order[0][1].element.full_name() == "a/go");
    CHECK_THAT(toml.order[0][1].where, Contains("builder.toml, line 13"));
    CHECK(toml.build_image == "example.com/build:1");
    REQUIRE(toml.run_images.size() == 1);
    CHECK(toml.run_images[0].mirrors == std::vector<std::string>{"other.example.com/run:1"});
    REQUIRE(toml.system_pre.size() == 1);
    CHECK(toml.system_pre[0].element.id == "a/first");
}

TEST_CASE("a variable of the builder is a file with its suffix and one for the delimiter") {
    const auto toml = builder(whole);
    std::string files;
    for (const auto& variable : toml.build_environment)
        files += variable.file + "=" + variable.value + " ";
    CHECK(files == "ONE=1 PATH_LIKE.append=/x PATH_LIKE.delim=: ");
}

TEST_CASE("a lifecycle that is named is said to be not used") {
    const auto toml = builder(whole);
    REQUIRE(toml.notes.size() == 1);
    CHECK_THAT(toml.notes[0], Contains("line 28") && Contains("its own lifecycle"));
}

TEST_CASE("an old builder.toml names its images in [stack]") {
    const auto toml = builder("[[order]]\n[[order.group]]\nid = \"a/b\"\n[stack]\nid = \"s\"\n"
                              "build-image = \"b\"\nrun-image = \"r\"\n"
                              "run-image-mirrors = [\"m\"]\n");
    CHECK(toml.build_image == "b");
    CHECK(toml.stack_id == "s");
    REQUIRE(toml.run_images.size() == 1);
    CHECK(toml.run_images[0].image == "r");
    CHECK(toml.run_images[0].mirrors == std::vector<std::string>{"m"});
}

TEST_CASE("what is wrong in builder.toml is named with its line and key") {
    const std::string order = "[[order]]\n[[order.group]]\nid = \"a/b\"\n";
    const std::string images = "[build]\nimage = \"b\"\n[[run.images]]\nimage = \"r\"\n";
    const auto [text, message] = GENERATE_COPY(table<std::string, std::string>(
        {{order + images + "[bulid]\n", "line 8: bulid is no key"},
         {order + images + "[[extensions]]\nid = \"e\"\n", "extensions are image extensions"},
         {images + "[[order]]\n", "order.group is missing"},
         {images, "order is missing"},
         {order + "[[run.images]]\nimage = \"r\"\n", "build.image is missing"},
         {order + "[build]\nimage = \"b\"\n", "run.images is missing"},
         {order + images + "[stack]\nbuild-image = \"c\"\n", "line 5: build.image and stack"},
         {"[[buildpacks]]\nid = \"a\"\n" + order + images, "line 1: buildpacks.uri is missing"},
         {"[[buildpacks]]\nuri = \"a\"\nimage = \"b\"\n" + order + images,
          "line 3: buildpacks.image and uri"},
         {order + images + "[[build.env]]\nname = \"A.B\"\n", "no name of a variable"},
         {order + images + "[[build.env]]\nname = \"A\"\nsuffix = \"prepend\"\n",
          "build.env.delim is missing"},
         {order + images + "[[build.env]]\nname = \"A\"\nsuffix = \"before\"\n",
          "line 10: build.env.suffix is \"before\""},
         {order + images + "[[targets]]\nos = \"windows\"\n", "linux alone"},
         {order + images + "x = \n", "line 8"}}));
    CAPTURE(text);
    CHECK_THROWS_WITH(builder(text), Contains("builder.toml, line") && Contains(message));
}

TEST_CASE("package.toml names the buildpack and what it needs") {
    const auto toml = package("[buildpack]\nuri = \"meta\"\n[[dependencies]]\nuri = \"../a\"\n"
                              "[[dependencies]]\nimage = \"example.com/b\"\n[platform]\n"
                              "os = \"linux\"\n");
    CHECK(toml.buildpack.uri == "meta");
    REQUIRE(toml.dependencies.size() == 2);
    CHECK(toml.dependencies[0].uri == "../a");
    CHECK(toml.dependencies[1].uri == "docker://example.com/b");
    CHECK_THAT(toml.dependencies[1].where, Contains("line 5"));
}

TEST_CASE("without [buildpack] the folder of package.toml is meant") {
    CHECK(package("").buildpack.uri == ".");
}

TEST_CASE("Windows and extensions are refused in package.toml") {
    CHECK_THROWS_WITH(package("[platform]\nos = \"windows\"\n"), Contains("line 2: platform.os"));
    CHECK_THROWS_WITH(package("[extension]\nuri = \".\"\n"), Contains("image extension"));
}

TEST_CASE("of several targets this machine's architecture is packaged") {
    using buildpacks::Target;
    CHECK(packages::choose_architecture({}, "amd64") == "amd64");
    CHECK(packages::choose_architecture(
              {Target{.architecture = "arm64"}, Target{.architecture = "amd64"}}, "amd64") ==
          "amd64");
    CHECK(packages::choose_architecture({Target{.architecture = "arm64"}}, "amd64") == "arm64");
    CHECK_THROWS_WITH(
        packages::choose_architecture(
            {Target{.architecture = "arm64"}, Target{.architecture = "riscv64"}}, "amd64"),
        Contains("none is this machine's"));
}
