#include "buildpacks/catalog.h"
#include "buildpacks/toml_text.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <algorithm>
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

TEST_CASE("a version is the name of a directory; placeholders of a source tree are fine") {
    const auto load = [](const std::string& version) {
        Tree tree;
        tree.file("p/buildpack.toml",
                  "api = \"0.12\"\n[buildpack]\nid = \"a\"\nversion = \"" + version + "\"\n");
        return load_cnb(tree / "p")->info().version;
    };
    for (const char* version : {"1.2.3-rc.1+5", "{{.version}}", "v2"})
        CHECK(load(version) == version);
    for (const char* version : {"", "..", "../../etc", "1/2", "1\\n2"})
        CHECK_THROWS_WITH(load(version), Catch::Contains("cannot be the version"));
}

TEST_CASE("versions that could leave their directory are refused") {
    Tree tree;
    for (const char* version : {"", "../../../proc", "1/2", ".hidden", "1 0"}) {
        const auto text = "api = \"0.12\"\n[buildpack]\nid = \"a/b\"\nversion = \"" +
                          std::string(version) + "\"\n";
        CHECK_THROWS_WITH(load_cnb(tree.file("q/buildpack.toml", text) / "q"),
                          Catch::Contains("version of a/b"));
    }
}

TEST_CASE("a wrong type anywhere in a buildpack.toml is its author's mistake") {
    Tree tree;
    for (const char* more : {"[[targets]]\ndistros = 1\n", "targets = [1]\n", "order = 3\n",
                             "order = [\"x\"]\n", "[[order]]\ngroup = [[1]]\n"}) {
        INFO(more);
        const auto directory = tree.file("p/buildpack.toml", more + toml("a/b")) / "p";
        try {
            if (!load_composite(directory)) load_cnb(directory);
            FAIL("it was loaded");
        } catch (const base::Error& error) {
            CHECK(error.kind() == base::ErrorKind::invalid_input);
        }
    }
}

TEST_CASE("a buildpack.toml that is a link is not read, and a bin/compile that is one is there") {
    Tree tree;
    tree.file("secret.toml", toml("a/b"));
    fs::create_directories(tree / "p/bin");
    fs::create_symlink(tree / "secret.toml", tree / "p/buildpack.toml");
    CHECK_THROWS_WITH(load_cnb(tree / "p"), Catch::Contains("no file buildpack.toml"));
    CHECK(kind_of(tree / "p") == Kind::neither);
    fs::create_symlink("compile", tree / "p/bin/compile"); // leads to itself
    CHECK(kind_of(tree / "p") == Kind::classic);
}

TEST_CASE("TOML that nests without end is refused") {
    const auto dotted = [](int parts) {
        std::string key = "a";
        for (int i = 1; i < parts; ++i) key += i % 2 ? ".a" : " . 'a'";
        return key;
    };
    for (const int parts : {62, 9'000, 500'000})
        for (const auto& text : {"[" + dotted(parts) + "]\n", dotted(parts) + " = 1\n",
                                 "[" + dotted(parts) + "]\n= no TOML"})
            CHECK_THROWS_AS(toml_to_json(text, "x"), base::Error);
    std::string tables;
    for (int i = 0; i < 100; ++i) tables += (i == 0 ? "" : "{") + dotted(60) + " = ";
    CHECK_THROWS_WITH(toml_to_json(tables + "1" + std::string(99, '}'), "x"),
                      Catch::Contains("deeper than 60"));
    CHECK(toml_to_json(dotted(60) + " = 1\n", "x").is_object());
}

TEST_CASE("a broken buildpack.toml is told with its name and line") {
    Tree tree;
    tree.file("p/buildpack.toml", "api = \"0.12\"\n[buildpack\n");
    CHECK_THROWS_WITH(load_cnb(tree / "p"), Catch::Contains("line 2"));
    tree.file("p/buildpack.toml", "api = 0.12\n[buildpack]\nid = \"a\"\nversion = \"1\"\n");
    CHECK_THROWS_WITH(load_cnb(tree / "p"),
                      Catch::Contains("p/buildpack.toml: ") && Catch::Contains("\"api\""));
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
    CHECK_THROWS_WITH(read("a.toml", "[types]\nlaunch=true\ncache=true\n"),
                      Contains("no directory"));
    CHECK_THROWS_WITH(read("a.toml", "launch=true\n"), Contains("a.toml") && Contains("[types]"));
    CHECK_THROWS_WITH(read("launch.toml", "[[processes]]\ntype=\"..\"\ncommand=[\"a\"]\n"),
                      Contains("letters, digits"));
    CHECK_THROWS_WITH(read("launch.toml", "[[processes]]\ntype=\"a\"\ncommand=[\"a\"]\n"
                                          "default=true\n[[processes]]\ntype=\"b\"\n"
                                          "command=[\"b\"]\ndefault=true\n"),
                      Contains("launch.toml") && Contains("more than one"));
    CHECK_THROWS_WITH(read("launch.toml", "slices = 3\n"), Contains("must be a list"));
    CHECK_THROWS_WITH(read("store.toml", "metadata = 3\n"), Contains("store.toml"));
    CHECK_THROWS_WITH(read("build.toml", "[[unmet]]\n"), Contains("build.toml"));
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
          "[metadata]\n  two = \"a\\nb\"\n  version = \"24.1.0\"\n");
}

namespace {

Built read_launch_toml(const std::string& api, const std::string& bytes) {
    Tree tree;
    tree.file("layers/test_pack/launch.toml", bytes);
    return one(tree, api)->read_build({{}, tree / "layers", {}});
}

// Of CNB_ variables and arguments, what one API sees.
engine::Invocation invoke(const std::string& api, bool detecting) {
    Tree tree;
    const Environment given{{"CNB_TARGET_OS", "linux"}, {"CNB_EXEC_ENV", "production"}};
    if (detecting) return one(tree, api)->detect({}, "/detect/0", given);
    fs::create_directories(tree / "slot");
    return one(tree, api)->build({}, {}, tree / "slot", "/detect/b", given);
}

bool sees(const engine::Invocation& invocation, const std::string& name) {
    return std::any_of(invocation.environment.begin(), invocation.environment.end(),
                       [&](const auto& entry) { return entry.starts_with(name + "="); });
}

} // namespace

TEST_CASE("before API 0.9 a command is one string and runs in a shell unless it is direct") {
    const auto built =
        read_launch_toml("0.8", "[[processes]]\ntype=\"a\"\ncommand=\"echo $HOME\"\nargs=[\"x\"]\n"
                                "[[processes]]\ntype=\"b\"\ncommand=\"echo\"\ndirect=true\n");
    CHECK(built.processes[0].command == std::vector<std::string>{"echo $HOME"});
    CHECK_FALSE(built.processes[0].direct);
    CHECK(built.processes[0].gave_args);
    CHECK(built.processes[1].direct);
    CHECK_FALSE(built.processes[1].gave_args);
    CHECK_THROWS_WITH(read_launch_toml("0.8", "[[processes]]\ntype=\"a\"\ncommand=[\"echo\"]\n"),
                      Catch::Contains("launch.toml") && Catch::Contains("must be a string"));
}

TEST_CASE("since API 0.9 a command is a list, and direct is gone") {
    const auto built =
        read_launch_toml("0.9", "[[processes]]\ntype=\"a\"\ncommand=[\"echo\", \"always\"]\n");
    CHECK(built.processes[0].direct);
    CHECK(built.processes[0].command == std::vector<std::string>{"echo", "always"});
    CHECK_THROWS_WITH(read_launch_toml("0.9", "[[processes]]\ntype=\"a\"\ncommand=\"echo\"\n"),
                      Catch::Contains("must be a list"));
    CHECK_THROWS_WITH(read_launch_toml("0.9", "[[processes]]\ntype=\"a\"\ncommand=[\"echo\"]\n"
                                              "direct=false\n"),
                      Catch::Contains("direct"));
}

TEST_CASE("working directories came with API 0.8, exec-env of processes with 0.12") {
    const std::string process = "[[processes]]\ntype=\"a\"\nworking-dir=\"/x\"\n"
                                "exec-env=[\"test\"]\n";
    const auto old = read_launch_toml("0.7", process + "command=\"a\"\n");
    CHECK(old.processes[0].working_directory.empty());
    CHECK_THAT(old.warnings.at(0), Catch::Contains("working-dir"));
    const auto middle = read_launch_toml("0.8", process + "command=\"a\"\n");
    CHECK(middle.processes[0].working_directory == "/x");
    CHECK(middle.processes[0].execution_envs.empty());
    const auto now = read_launch_toml("0.12", process + "command=[\"a\"]\n");
    CHECK(now.processes[0].execution_envs == std::vector<std::string>{"test"});
}

TEST_CASE("each API sees its own variables, and every one its positional arguments") {
    for (const bool detecting : {true, false}) {
        const auto seven = invoke("0.7", detecting), eight = invoke("0.8", detecting);
        const std::string path = detecting ? "CNB_BUILD_PLAN_PATH" : "CNB_BP_PLAN_PATH";
        CHECK(seven.argv.size() == (detecting ? 3 : 4));
        CHECK(sees(seven, "CNB_BUILDPACK_DIR"));
        for (const auto& name : {path, std::string("CNB_PLATFORM_DIR")}) {
            CHECK_FALSE(sees(seven, name));
            CHECK(sees(eight, name));
        }
        CHECK_FALSE(sees(invoke("0.9", detecting), "CNB_TARGET_OS"));
        CHECK(sees(invoke("0.10", detecting), "CNB_TARGET_OS"));
        CHECK_FALSE(sees(invoke("0.11", detecting), "CNB_EXEC_ENV"));
        CHECK(sees(invoke("0.12", detecting), "CNB_EXEC_ENV"));
    }
    CHECK_FALSE(sees(invoke("0.7", false), "CNB_LAYERS_DIR"));
    CHECK(sees(invoke("0.8", false), "CNB_LAYERS_DIR"));
}

TEST_CASE("an ignored layer is renamed, one without metadata or types too when it has a toml") {
    Tree tree;
    const auto layers = tree / "layers/test_pack";
    for (const char* name : {"ignored", "used"}) fs::create_directories(layers / name);
    tree.file("layers/test_pack/ignored.toml", "")
        .file("layers/test_pack/used.toml", "[types]\nbuild=true\n");
    const auto built = one(tree)->read_build({{}, tree / "layers", {}});
    CHECK(built.layers[0].metadata_json == "null");
    CHECK(fs::exists(layers / "ignored.ignore"));
    CHECK_FALSE(fs::exists(layers / "ignored"));
    CHECK(fs::exists(layers / "used"));
    tree.file("layers/test_pack/ignored/again", "");
    tree.file("layers/test_pack/ignored.ignore/there", "");
    CHECK_THROWS_WITH(one(tree)->read_build({{}, tree / "layers", {}}),
                      Catch::Contains("put aside"));
}

TEST_CASE("bills of materials are those of layers that are there, in a format that was declared") {
    const auto read = [](const std::string& formats, const std::vector<std::string>& files) {
        Tree tree;
        tree.file("p/buildpack.toml", toml("test/pack") + "sbom-formats = [" + formats + "]\n");
        tree.file("layers/test_pack/a.toml", "[types]\nlaunch=true\n");
        for (const auto& file : files) tree.file("layers/test_pack/" + file, "{}");
        return load_cnb(tree / "p")->read_build({{}, tree / "layers", {}}).bills;
    };
    const std::string cdx = "\"application/vnd.cyclonedx+json; version=1\"";
    const auto bills = read(cdx, {"a.sbom.cdx.json", "gone.sbom.cdx.json", "build.sbom.cdx.json",
                                  "launch.sbom.cdx.json"});
    REQUIRE(bills.size() == 3);
    CHECK(bills[0].layer == "a");
    CHECK(
        (bills[1].of == BillOfMaterials::Of::build && bills[2].of == BillOfMaterials::Of::launch));
    CHECK(bills[2].file_name() == "launch.sbom.cdx.json");
    CHECK_THROWS_WITH(read(cdx, {"a.sbom.spdx.json"}),
                      Catch::Contains("a.sbom.spdx.json") && Catch::Contains("did not declare"));
    CHECK_THROWS_WITH(read(cdx, {"a.sbom.pdf.json"}), Catch::Contains("a.sbom.pdf.json"));
}

TEST_CASE("a requirement with a version at its top level is refused, and so is such a bom entry") {
    Tree tree;
    tree.file("slot/plan.toml", "[[requires]]\nname=\"a\"\nversion=\"1\"\n");
    const auto detection = one(tree)->read_detection({.code = 0}, "words", tree / "slot");
    CHECK(detection.verdict == Verdict::error);
    CHECK_THAT(detection.output,
               Catch::StartsWith("words\n") && Catch::Contains("belongs into its metadata"));
    CHECK_THROWS_WITH(read_launch_toml("0.7", "[[bom]]\nname=\"a\"\nversion=\"1\"\n"),
                      Catch::Contains("belongs into its metadata"));
    CHECK(read_launch_toml("0.7", "[[bom]]\nname=\"a\"\n[bom.metadata]\nv=1\n").legacy_bill_json ==
          R"([{"metadata":{"v":1},"name":"a"}])");
}

TEST_CASE("tables come after values, lists of tables as such, nothing for null") {
    CHECK(json_to_toml({{"a", {{"x", 1}}}, {"b", 1.0}, {"c", {{{"d", 1}}, {{"e", nullptr}}}}}) ==
          "b = 1.0\n\n[a]\n  x = 1\n\n[[c]]\n  d = 1\n\n[[c]]\n");
}
