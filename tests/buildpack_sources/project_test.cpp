#include "sources/project.h"

#include "sources/choice.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sources;

namespace {

Project read(const std::string& toml) {
    const base::TempDir app("project-");
    base::write_file(app.path() / "project.toml", toml);
    return read_project(app.path());
}

std::string refusal(const std::string& toml) {
    try {
        read(toml);
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        return error.message();
    }
    FAIL("not refused: " << toml);
    return {};
}

const std::string v2 = "[_]\nschema-version = \"0.2\"\n";

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("without project.toml there is no project") {
    const base::TempDir app("project-");
    CHECK_FALSE(read_project(app.path()).present);
}

TEST_CASE("schema 0.2, complete") {
    const auto project = read(v2 + R"(
id = "io.example.app"
[_.metadata]
anything = [1, 2]
[io.buildpacks]
builder = "cnbs/sample-builder:bionic"
include = ["cmd/", "*.go"]
[[io.buildpacks.group]]
id = "a/b"
version = "1.0"
[[io.buildpacks.group]]
uri = "https://host.example/x.tgz"
[[io.buildpacks.group]]
id = "me/script"
  [io.buildpacks.group.script]
  api = "0.10"
  inline = "echo hello"
[[io.buildpacks.pre.group]]
id = "pre/one"
[[io.buildpacks.post.group]]
id = "post/one"
[[io.buildpacks.build.env]]
name = "JAVA_OPTS"
value = "-Xmx1g"
)");
    CHECK(project.present);
    CHECK(project.builder == "cnbs/sample-builder:bionic");
    CHECK(project.include == std::vector<std::string>{"cmd/", "*.go"});
    REQUIRE(project.group.size() == 3);
    CHECK(project.group[0].version == "1.0");
    CHECK(project.group[1].uri == "https://host.example/x.tgz");
    REQUIRE(project.group[2].script);
    CHECK(project.group[2].script->shell == "/bin/sh");
    CHECK(project.group[2].script->version == "0.0.0");
    CHECK(project.group[2].script->text == "echo hello");
    CHECK(project.pre.front().id == "pre/one");
    CHECK(project.post.front().id == "post/one");
    CHECK(project.build_environment.at("JAVA_OPTS") == "-Xmx1g");
    REQUIRE(project.warnings.size() == 1); // the builder is the server's to choose
    CHECK(contains(project.warnings.front(), "slipway builder use"));
}

TEST_CASE("schema 0.1 is read, with a warning") {
    const auto project = read("[project]\nid = \"x\"\n[build]\nexclude = [\"spec/\"]\n"
                              "[[build.buildpacks]]\nid = \"a/b\"\n"
                              "[[build.env]]\nname = \"K\"\nvalue = \"V\"\n");
    CHECK(project.schema_version == "0.1");
    CHECK(project.exclude.size() == 1);
    CHECK(project.group.size() == 1);
    CHECK(project.build_environment.at("K") == "V");
    CHECK(project.warnings.size() == 1);
}

TEST_CASE("the old misspelling of the environment is read, and the right one wins") {
    const auto project = read(v2 + "[[io.buildpacks.env.build]]\nname = \"A\"\nvalue = \"old\"\n"
                                   "[[io.buildpacks.env.build]]\nname = \"B\"\nvalue = \"old\"\n"
                                   "[[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"new\"\n");
    CHECK(project.build_environment.at("A") == "new");
    CHECK(project.build_environment.at("B") == "old");
}

TEST_CASE("what a project.toml has wrong is named with its key or its line") {
    CHECK(contains(refusal("[_\n"), "project.toml, line 1"));
    CHECK(contains(refusal("[_]\nschema-version = \"9.1\"\n"), "9.1"));
    CHECK(contains(refusal(v2 + "[io.buildpacks]\ninclude = []\nexclude = []\n"),
                   "both include and exclude"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nid = \"a\"\n[[io.buildpacks.group]]\n"),
                   "[[io.buildpacks.group]] 2"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nuri = \"u\"\nversion = \"1\"\n"),
                   "both a uri and a version"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nid = \"a\"\nuri = \"u\"\n"
                                "[io.buildpacks.group.script]\napi = \"0.9\"\ninline = \"x\"\n"),
                   "both a uri and a script"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nid = \"a\"\n"
                                "[io.buildpacks.group.script]\ninline = \"x\"\n"),
                   "without an api"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\n[io.buildpacks.group.script]\n"
                                "api = \"0.9\"\ninline = \"x\"\n"),
                   "no id"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nid = \"a\"\n"
                                "[io.buildpacks.group.script]\napi = \"0.9\"\ninline = \"x\"\n"
                                "shell = \"/bin/sh\\nid\"\n"),
                   "shell"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.group]]\nid = 7\n"),
                   "[[io.buildpacks.group]] 1: \"id\" must be a string"));
    CHECK(contains(refusal(v2 + "[io]\nbuildpacks = 7\n"), "[io.buildpacks] is not a table"));
    CHECK(contains(refusal(v2 + "[[io.buildpacks.build.env]]\nname = \"A=B\"\nvalue = \"\"\n"),
                   "A=B"));
}

TEST_CASE("a key that nobody reads is a warning") {
    const auto project = read(v2 + "[io.buildpacks]\nbilder = \"x\"\n");
    REQUIRE(project.warnings.size() == 1);
    CHECK(contains(project.warnings.front(), "bilder"));
}

TEST_CASE("a bad uri in a group names the group's entry") {
    const base::TempDir app("project-");
    base::write_file(app.path() / "project.toml",
                     v2 + "[[io.buildpacks.post.group]]\nuri = \"ftp://x/y\"\n");
    try {
        choose({.app = app.path()});
        FAIL("not refused");
    } catch (const base::Error& error) {
        CHECK(error.message().starts_with("project.toml, [[io.buildpacks.post.group]] 1: "));
    }
}
