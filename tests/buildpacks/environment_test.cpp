#include "buildpacks/catalog.h"
#include "buildpacks/environment.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace buildpacks;
namespace fs = std::filesystem;

namespace {

struct LayerTree {
    base::TempDir directory{"slipway-test"};
    Environment environment;

    LayerTree& file(const std::string& name, const std::string& bytes) {
        const auto path = directory.path() / "pack/layer" / name;
        fs::create_directories(path.parent_path());
        base::write_file(path, bytes);
        return *this;
    }
    Environment& apply() {
        add_build_layer(environment, directory.path(), "pack/layer", "/layers/pack/layer");
        return environment;
    }
};

} // namespace

TEST_CASE("a layer's roots stand in front of the paths") {
    LayerTree tree;
    for (const char* root : {"bin", "lib", "include", "pkgconfig"})
        fs::create_directories(tree.directory.path() / "pack/layer" / root);
    tree.environment["PATH"] = "/usr/bin";
    const auto& environment = tree.apply();
    CHECK(environment.at("PATH") == "/layers/pack/layer/bin:/usr/bin");
    CHECK(environment.at("LD_LIBRARY_PATH") == "/layers/pack/layer/lib");
    CHECK(environment.at("LIBRARY_PATH") == "/layers/pack/layer/lib");
    CHECK(environment.at("CPATH") == "/layers/pack/layer/include");
    CHECK(environment.at("PKG_CONFIG_PATH") == "/layers/pack/layer/pkgconfig");
}

TEST_CASE("suffixes say how a variable changes, with the delimiter of their directory") {
    LayerTree tree;
    tree.environment = {{"A", "a"}, {"B", "b"}, {"C", "c"}};
    tree.file("env/A.append", "1").file("env/A.delim", ";");
    tree.file("env/B.prepend", "2");
    tree.file("env/C.default", "3").file("env/D.default", "4");
    tree.file("env.build/E.override", "5").file("env.build/F", "6").file("env/G.nonsense", "7");
    const auto& environment = tree.apply();
    CHECK(environment ==
          Environment{{"A", "a;1"}, {"B", "2b"}, {"C", "c"}, {"D", "4"}, {"E", "5"}, {"F", "6"}});
}

TEST_CASE("env.launch is not for the build") {
    LayerTree tree;
    CHECK(tree.file("env.launch/A", "1").apply().empty());
}

TEST_CASE("a link among the variables is not followed") {
    LayerTree tree;
    tree.file("env/A", "1");
    fs::create_symlink("/etc/passwd", tree.directory.path() / "pack/layer/env/B");
    CHECK(tree.apply() == Environment{{"A", "1"}});
}

TEST_CASE("a link in place of the layer is not followed") {
    const base::TempDir outside("slipway-test");
    fs::create_directories(outside.path() / "env");
    base::write_file(outside.path() / "env/A", "1");
    LayerTree tree;
    fs::create_directories(tree.directory.path() / "pack");
    fs::create_directory_symlink(outside.path(), tree.directory.path() / "pack/layer");
    CHECK(tree.apply().empty());
}

TEST_CASE("the user's variables override, and stand in front of paths") {
    const auto environment =
        with_platform({{"PATH", "/usr/bin"}, {"A", "a"}}, {{"PATH", "/mine"}, {"A", "b"}});
    CHECK(environment == Environment{{"PATH", "/mine:/usr/bin"}, {"A", "b"}});
}

TEST_CASE(
    "the operator's variables are applied last, for clear-env too, a plain name as a default") {
    const auto operators = read_modifications({{"A", "operator"},
                                               {"B", "operator"},
                                               {"B.delim", ","},
                                               {"GIVEN.override", "operator"},
                                               {"LIST.append", "two"},
                                               {"LIST.delim", ":"},
                                               {"X.unknown", "?"}},
                                              Modification::Action::default_);
    const Variables variables{.base = {{"A", "layer"}, {"LIST", "one"}},
                              .platform = {{"GIVEN", "user"}, {"MINE", "user"}},
                              .classic = {},
                              .operators = operators};
    base::TempDir tree("slipway-test");
    const auto pack = [&](const std::string& name, const std::string& more) {
        fs::create_directories(tree.path() / name);
        base::write_file(tree.path() / name / "buildpack.toml",
                         "api = \"0.12\"\n[buildpack]\nid = \"" + name + "\"\nversion = \"1\"\n" +
                             more);
        return load_cnb(tree.path() / name);
    };
    CHECK(pack("open", "")->environment(variables) == Environment{{"A", "layer"},
                                                                  {"B", "operator"},
                                                                  {"GIVEN", "operator"},
                                                                  {"LIST", "one:two"},
                                                                  {"MINE", "user"}});
    CHECK(
        pack("clear", "clear-env = true\n")->environment(variables) ==
        Environment{{"A", "layer"}, {"B", "operator"}, {"GIVEN", "operator"}, {"LIST", "one:two"}});
}
