#include "buildpacks/catalog.h"
#include "buildpacks/toml_text.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace buildpacks;
namespace fs = std::filesystem;

namespace {

struct Tree {
    base::TempDir directory{"slipway-test"};
    Tree& file(const std::string& name, const std::string& bytes) {
        const auto path = directory.path() / name;
        fs::create_directories(path.parent_path());
        base::write_file(path, bytes);
        return *this;
    }
    fs::path operator/(const std::string& name) const { return directory.path() / name; }
};

std::string toml(const std::string& id, const std::string& api = "0.12") {
    return "api = \"" + api + "\"\n[buildpack]\nid = \"" + id + "\"\nversion = \"1.0.0\"\n";
}

std::shared_ptr<const Buildpack> one(Tree& tree, const std::string& api = "0.12") {
    return load_cnb(tree.file("p/buildpack.toml", toml("test/pack", api)) / "p");
}

} // namespace

TEST_CASE("the bundled buildpacks load, and the order names only those that are there") {
    const auto catalog = Catalog::load({fs::path(SLIPWAY_SOURCE_DIR) / "buildpacks/bundled"});
    CHECK(catalog.all().size() >= 4);
    CHECK_FALSE(catalog.order().empty());
}

TEST_CASE("an order that names a missing buildpack is refused by name") {
    Tree tree;
    tree.file("order.toml", "[[order]]\n[[order.group]]\nid = \"not/there\"\n");
    CHECK_THROWS_WITH(Catalog::load({tree.directory.path()}), Catch::Contains("not/there"));
}

TEST_CASE("an API outside 0.7 to 0.12 is refused by name") {
    Tree tree;
    for (const char* api : {"0.6", "0.13", "1.0", "nonsense"})
        CHECK_THROWS_WITH(one(tree, api), Catch::Contains(api) && Catch::Contains("test/pack"));
    for (const char* api : {"0.7", "0.10", "0.12"}) CHECK(one(tree, api)->info().api == api);
}

TEST_CASE("ids that could leave their directory are refused") {
    Tree tree;
    for (const char* id : {"", "../up", "/root", "a b", "config", "app"})
        CHECK_THROWS_AS(load_cnb(tree.file("q/buildpack.toml", toml(id)) / "q"), base::Error);
}

TEST_CASE("a broken buildpack.toml is told with its line") {
    Tree tree;
    tree.file("p/buildpack.toml", "api = \"0.12\"\n[buildpack\n");
    CHECK_THROWS_WITH(load_cnb(tree / "p"), Catch::Contains("line 2"));
}

TEST_CASE("exit codes of bin/detect are pass, fail and error") {
    Tree tree;
    const auto pack = one(tree);
    fs::create_directories(tree / "slot");
    CHECK(pack->read_detection({.code = 0}, "", tree / "slot").verdict == Verdict::pass);
    CHECK(pack->read_detection({.code = 100}, "", tree / "slot").verdict == Verdict::fail);
    CHECK(pack->read_detection({.code = 1}, "", tree / "slot").verdict == Verdict::error);
    CHECK(pack->read_detection({.code = 0, .signal = 9}, "", tree / "slot").exit_code == 137);
}

TEST_CASE("a build plan is its top section and each alternative") {
    Tree tree;
    tree.file("slot/plan.toml", "[[provides]]\nname=\"a\"\n[[requires]]\nname=\"a\"\n"
                                "[requires.metadata]\nversion=\"1\"\n"
                                "[[or]]\n[[or.requires]]\nname=\"b\"\n");
    const auto sections = one(tree)->read_detection({.code = 0}, "", tree / "slot").sections;
    REQUIRE(sections.size() == 2);
    CHECK(sections[0].provides == std::vector<std::string>{"a"});
    CHECK(sections[0].requires_[0].metadata_json == R"({"version":"1"})");
    CHECK(sections[1].requires_[0].name == "b");
}

TEST_CASE("layers, processes, labels, unmet entries and the store are read back") {
    Tree tree;
    const std::string d = "layers/test_pack/";
    tree.file(d + "one.toml", "[types]\nlaunch=true\ncache=true\n[metadata]\nkey=\"v\"\n");
    fs::create_directories(tree / (d + "one"));
    tree.file(d + "reused.toml", "[types]\nlaunch=true\n");
    tree.file(d + "launch.toml", "[[processes]]\ntype=\"web\"\ncommand=[\"node\",\"x\"]\n"
                                 "default=true\n[[labels]]\nkey=\"k\"\nvalue=\"v\"\n");
    tree.file(d + "build.toml", "[[unmet]]\nname=\"x\"\n");
    tree.file(d + "store.toml", "[metadata]\nn=1\n");
    const auto built = one(tree)->read_build({{}, tree / "layers", {}});
    REQUIRE(built.layers.size() == 2);
    CHECK((built.layers[0].types.launch && built.layers[0].types.cache));
    CHECK(built.layers[0].metadata_json == R"({"key":"v"})");
    CHECK(built.layers[0].has_content);
    CHECK_FALSE(built.layers[1].has_content);
    CHECK(built.processes[0].command == std::vector<std::string>{"node", "x"});
    CHECK(built.processes[0].is_default);
    CHECK(built.labels[0].second == "v");
    CHECK(built.unmet == std::vector<std::string>{"x"});
    CHECK(built.store_json == R"({"n":1})");
}

TEST_CASE("what a buildpack writes wrongly is told with the file's name") {
    const std::string d = "layers/test_pack/";
    const auto read = [&](const std::string& file, const std::string& bytes) {
        Tree tree;
        tree.file(d + file, bytes);
        return one(tree)->read_build({{}, tree / "layers", {}});
    };
    using Catch::Contains;
    CHECK_THROWS_WITH(read("launch.toml", "[[processes]\n"), Contains("launch.toml"));
    CHECK_THROWS_WITH(read("launch.toml", "[[processes]]\ntype=\"web\"\n"), Contains("no command"));
    CHECK_THROWS_WITH(read("launch.toml", "[[processes]]\ntype=\"../x\"\ncommand=[\"a\"]\n"),
                      Contains("letters, digits"));
    CHECK_THROWS_WITH(read("a.toml", "types = 3\n"), Contains("a.toml"));
    CHECK_THROWS_WITH(read("a.toml", "[types]\nlaunch=\"yes\"\n"), Contains("true or false"));
    CHECK_THROWS_WITH(read("a.toml", "[types]\ncache=true\n"), Contains("no directory"));
}

TEST_CASE("a link in place of a file or a layer counts as absent") {
    Tree tree;
    tree.file("outside.toml", "[types]\nlaunch=true\n");
    fs::create_directories(tree / "layers/test_pack");
    fs::create_symlink(tree / "outside.toml", tree / "layers/test_pack/a.toml");
    CHECK(one(tree)->read_build({{}, tree / "layers", {}}).layers.empty());
    tree.file("layers/test_pack/b.toml", "[types]\nlaunch=true\n");
    fs::create_directory_symlink("/etc", tree / "layers/test_pack/b");
    CHECK_FALSE(one(tree)->read_build({{}, tree / "layers", {}}).layers.at(0).has_content);
}

TEST_CASE("TOML to JSON and back keeps every value") {
    const auto value =
        toml_to_json("a = 1\nb = [true, 1.5]\n[c]\nd = \"x\"\n[[e]]\nf = 1\n", "test");
    CHECK(value.dump() == R"({"a":1,"b":[true,1.5],"c":{"d":"x"},"e":[{"f":1}]})");
    CHECK(toml_to_json(json_to_toml(value), "again") == value);
}

TEST_CASE("TOML is written as shell buildpacks expect it: one key a line, double quotes") {
    CHECK(json_to_toml({{"metadata", {{"version", "24.1.0"}, {"two", "a\nb"}}}}) ==
          "[metadata]\ntwo = \"a\\nb\"\nversion = \"24.1.0\"\n");
}
