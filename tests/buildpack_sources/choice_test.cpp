#include "sources/choice.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sources;

namespace {

// An app whose files ask for buildpacks in every way there is; rules are taken away from the top.
struct App {
    base::TempDir directory{"choice-"};

    void write(const char* name, const std::string& text) const {
        base::write_file(directory.path() / name, text);
    }
    void remove(const char* name) const { std::filesystem::remove(directory.path() / name); }

    Choice choose(std::map<std::string, std::string> environment = {},
                  std::vector<std::string> given = {},
                  const std::vector<std::string>& parents = {}) const {
        std::vector<ParentJson> parents_json;
        for (const auto& text : parents) parents_json.push_back({"above/app.json", text});
        return sources::choose({.app = directory.path(),
                                .given = std::move(given),
                                .given_by = "the push option",
                                .environment = std::move(environment),
                                .parents_json = std::move(parents_json)});
    }

    base::Error refusal() const {
        try {
            choose();
        } catch (const base::Error& error) {
            return error;
        }
        FAIL("nothing was refused");
        return {base::ErrorKind::internal, ""};
    }
};

std::string first(const Choice& choice) {
    return choice.automatic() ? "" : choice.buildpacks.front().text;
}

} // namespace

TEST_CASE("one precedence: each rule decides when those above it are silent") {
    const App app;
    app.write("project.toml",
              "[_]\nschema-version = \"0.2\"\n[[io.buildpacks.group]]\nid = \"by/project\"\n");
    app.write(".buildpacks", "https://h.example/dot\n");
    app.write("scalingo.json", R"({"buildpacks":[{"url":"https://h.example/scalingo"}]})");
    app.write("app.json", R"({"buildpacks":[{"url":"https://h.example/app"}]})");
    const std::string parent = R"({"buildpacks":[{"url":"https://h.example/parent"}]})";
    const std::map<std::string, std::string> name{{"BUILDPACK_NAME", "nodejs"}};
    auto both = name;
    both["BUILDPACK_URL"] = "https://h.example/url";

    auto choice = app.choose(both, {"a/given", "b/given"});
    CHECK(choice.rule == "the push option");
    CHECK(choice.buildpacks.size() == 2);
    CHECK(first(choice) == "a/given");
    choice = app.choose(both);
    CHECK(choice.rule == "the variable BUILDPACK_URL");
    CHECK(first(choice) == "https://h.example/url");
    choice = app.choose(name);
    CHECK(choice.rule == "the variable BUILDPACK_NAME");
    CHECK(first(choice) == "slipway/nodejs");
    choice = app.choose({}, {}, {parent});
    CHECK(choice.rule == "the file project.toml");
    CHECK(first(choice) == "by/project");
    app.remove("project.toml");
    choice = app.choose({}, {}, {parent});
    CHECK(choice.rule == "the file .buildpacks");
    app.remove(".buildpacks");
    choice = app.choose({}, {}, {parent});
    CHECK(choice.rule == "the file scalingo.json");
    app.remove("scalingo.json");
    choice = app.choose({}, {}, {parent});
    CHECK(choice.rule == "the file app.json");
    app.remove("app.json");
    choice = app.choose({}, {}, {"{}", parent});
    CHECK(first(choice) == "https://h.example/parent");
    choice = app.choose();
    CHECK(choice.automatic());
    CHECK(choice.rule == "detection");
}

TEST_CASE("BUILDPACK_NAME is a bundled buildpack's, with or without its surname") {
    const App app;
    for (const auto& [written, id] :
         std::map<std::string, std::string>{{"nodejs", "slipway/nodejs"},
                                            {"nodejs-buildpack", "slipway/nodejs"},
                                            {"other/nodejs", "other/nodejs"}})
        CHECK(first(app.choose({{"BUILDPACK_NAME", written}})) == id);
    CHECK(app.choose({{"BUILDPACK_URL", "  "}}).automatic());
}

TEST_CASE(".buildpacks in all its dialects") {
    using Entries = std::vector<Entry>;
    CHECK(parse_dot_buildpacks("a\nb\n") == Entries{{"a", 1}, {"b", 2}});
    CHECK(parse_dot_buildpacks("a\r\nb\r\n") == Entries{{"a", 1}, {"b", 2}});
    CHECK(parse_dot_buildpacks("a") == Entries{{"a", 1}});
    CHECK(parse_dot_buildpacks("\xef\xbb\xbf"
                               "a\n") == Entries{{"a", 1}});
    CHECK(parse_dot_buildpacks("# one\n\n  a#v1  # two\n\t#three four\nb\n") ==
          Entries{{"a#v1", 3}, {"b", 5}});
    CHECK(parse_dot_buildpacks("a b\n") == Entries{{"a", 1}, {"b", 1}});
    CHECK(parse_dot_buildpacks("# nothing\n \r\n").empty());
}

TEST_CASE(".buildpacks entries keep their order and their kinds") {
    const App app;
    app.write(".buildpacks", "# ours\r\nheroku/nodejs\r\nhttps://h.example/a.tgz?x=1\r\n"
                             "https://h.example/b.git#v2\r\nslipway/procfile\r\n./mine\r\n");
    const auto choice = app.choose();
    REQUIRE(choice.buildpacks.size() == 5);
    const auto kind = [&](std::size_t i) { return std::get<Uri>(choice.buildpacks[i].what); };
    CHECK(std::get<ById>(kind(0)).otherwise ==
          "https://github.com/heroku/heroku-buildpack-nodejs.git");
    CHECK(std::holds_alternative<ArchiveUrl>(kind(1)));
    CHECK(std::get<GitUrl>(kind(2)).ref == "v2");
    CHECK(std::get<ById>(kind(3)).id == "slipway/procfile");
    CHECK(std::holds_alternative<Folder>(kind(4)));
}

TEST_CASE("a file without entries leaves the choice to the next rule") {
    const App app;
    app.write(".buildpacks", "# later\n");
    app.write("app.json", R"({"name":"x","buildpacks":[]})");
    CHECK(app.choose().automatic());
}

TEST_CASE("a mistake is named with its file and line") {
    const App app;
    app.write(".buildpacks", "https://h.example/a\n\nftp://h.example/b\n");
    CHECK(app.refusal().message().starts_with(".buildpacks, line 3: "));
    app.remove(".buildpacks");
    app.write("app.json", R"({"buildpacks":[{"url":"a/b"},{"url":"ftp://x/y"}]})");
    CHECK(app.refusal().message().starts_with("app.json, number 2 of \"buildpacks\": "));
    app.write("app.json", R"({"buildpacks":{"url":"a/b"}})");
    CHECK(app.refusal().message() == "app.json: \"buildpacks\" is not a list");
    app.write("app.json", R"({"buildpacks":[{"name":"a/b"}]})");
    CHECK(app.refusal().message().find("has no url") != std::string::npos);
}

TEST_CASE("another program's app.json is passed over with a warning") {
    const App app;
    app.write("app.json", "{ // a comment\n}");
    const auto choice = app.choose();
    CHECK(choice.automatic());
    CHECK(choice.warnings.size() == 1);
    app.write("app.json", "[1]");
    CHECK(app.choose().warnings.empty());
}

TEST_CASE("files that are links are not read") {
    const App app;
    std::filesystem::create_symlink("/etc/passwd", app.directory.path() / ".buildpacks");
    std::filesystem::create_symlink("/etc/passwd", app.directory.path() / "project.toml");
    CHECK(app.choose().automatic());
}
