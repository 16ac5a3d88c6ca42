#include "patterns.h"
#include "sources/project.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sources;

namespace {

bool matches(const std::vector<std::string>& patterns, const std::string& path,
             PathType type = PathType::file) {
    return Patterns(patterns).matches(path, type);
}

struct App {
    base::TempDir directory{"patterns-"};

    explicit App(const std::vector<std::string>& files) {
        for (const auto& file : files) {
            std::filesystem::create_directories((directory.path() / file).parent_path());
            base::write_file(directory.path() / file, "x");
        }
    }

    std::set<std::string> files() const {
        std::set<std::string> found;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path()))
            if (!entry.is_directory() || entry.is_symlink())
                found.insert(entry.path().lexically_relative(directory.path()).string());
        return found;
    }
};

} // namespace

TEST_CASE("a pattern without a slash matches at any depth, one with a slash from the root") {
    CHECK(matches({"*.log"}, "a.log"));
    CHECK(matches({"*.log"}, "x/y/a.log"));
    CHECK(matches({"name"}, "x/name"));
    CHECK_FALSE(matches({"name"}, "x/names"));
    CHECK(matches({"/name"}, "name"));
    CHECK_FALSE(matches({"/name"}, "x/name"));
    CHECK(matches({"x/name"}, "x/name"));
    CHECK_FALSE(matches({"x/name"}, "y/x/name"));
}

TEST_CASE("stars stop at slashes, two of them do not") {
    CHECK_FALSE(matches({"a/*"}, "a/b/c"));
    CHECK(matches({"a/*"}, "a/b"));
    CHECK(matches({"a/**"}, "a/b/c"));
    CHECK_FALSE(matches({"a/**"}, "a"));
    CHECK(matches({"**/foo"}, "foo"));
    CHECK(matches({"**/foo"}, "x/y/foo"));
    CHECK(matches({"a/**/b"}, "a/b"));
    CHECK(matches({"a/**/b"}, "a/x/y/b"));
    CHECK_FALSE(matches({"a/**/b"}, "a/xb"));
    CHECK_FALSE(matches({"a/**/b"}, "ab"));
    CHECK(matches({"a**b/c"}, "axxb/c"));
    CHECK_FALSE(matches({"a**b/c"}, "ax/xb/c"));
    CHECK(matches({"?.c"}, "d/a.c"));
    CHECK_FALSE(matches({"a?c"}, "a/c"));
}

TEST_CASE("sets, ranges, classes and escapes") {
    CHECK(matches({"[ab].c"}, "b.c"));
    CHECK_FALSE(matches({"[!ab].c"}, "b.c"));
    CHECK(matches({"[^ab].c"}, "d.c"));
    CHECK(matches({"v[0-9]"}, "v7"));
    CHECK(matches({"[[:upper:]]x"}, "Ax"));
    CHECK_FALSE(matches({"[[:upper:]]x"}, "ax"));
    CHECK(matches({"[]a]"}, "]"));
    CHECK_FALSE(matches({"a[!b]c"}, "a/c"));
    CHECK(matches({"[ab"}, "[ab"));
    CHECK(matches({"\\*"}, "*"));
    CHECK_FALSE(matches({"\\*"}, "x"));
    CHECK(matches({"\\#a"}, "#a"));
    CHECK(matches({"\\!a"}, "!a"));
    CHECK(matches({"a\\ "}, "a "));
}

TEST_CASE("the last pattern that matches decides") {
    CHECK_FALSE(matches({"*.log", "!keep.log"}, "keep.log"));
    CHECK(matches({"!keep.log", "*.log"}, "keep.log"));
    CHECK_FALSE(matches({"# a", "", "   "}, "a"));
    CHECK(matches({"a   "}, "a"));
    CHECK(matches({"a\r"}, "a"));
}

TEST_CASE("a pattern that ends with a slash means directories") {
    CHECK(matches({"spec/"}, "x/spec", PathType::directory));
    CHECK_FALSE(matches({"spec/"}, "spec", PathType::file));
}

TEST_CASE("a pattern made to take for ever does not") {
    std::string pattern, path(4000, 'a');
    for (int i = 0; i < 200; ++i) pattern += "a*";
    CHECK_FALSE(matches({pattern + "b"}, path));
    std::string folders;
    for (int i = 0; i < 200; ++i) folders += "**/a*/";
    CHECK_FALSE(matches({folders + "b"}, path));
}

TEST_CASE("exclude takes files and whole directories out of the app") {
    const App app({"main.go", "spec/a.go", "lib/spec/b", "lib/a.log", "lib/keep.log"});
    Project project;
    project.exclude = {"spec/", "*.log", "!keep.log"};
    CHECK(apply_patterns(project, app.directory.path()) == 3);
    CHECK(app.files() == std::set<std::string>{"main.go", "lib/keep.log"});
}

TEST_CASE("include keeps what it names and drops directories that become empty") {
    const App app({"main.go", "cmd/a/b.txt", "cmd/c", "other/x/y", "other/z.go"});
    Project project;
    project.include = {"cmd/", "*.go"};
    CHECK(apply_patterns(project, app.directory.path()) == 1);
    CHECK(app.files() == std::set<std::string>{"main.go", "cmd/a/b.txt", "cmd/c", "other/z.go"});
    CHECK_FALSE(std::filesystem::exists(app.directory.path() / "other/x"));
}

TEST_CASE("a link that leads in a circle is a file like any other") {
    const App app({"a.log", "dir/keep"});
    std::filesystem::create_symlink("circle", app.directory.path() / "circle");
    std::filesystem::create_symlink("circle", app.directory.path() / "dir/circle");
    Project project;
    project.exclude = {"*.log", "dir"};
    CHECK(apply_patterns(project, app.directory.path()) == 3);
    project = {};
    project.include = {"circle"};
    CHECK(apply_patterns(project, app.directory.path()) == 0);
}

TEST_CASE("links are removed and never followed") {
    const App outside({"kept.log"});
    const App app({"a.log"});
    std::filesystem::create_directory_symlink(outside.directory.path(),
                                              app.directory.path() / "link");
    Project project;
    project.exclude = {"*.log"};
    CHECK(apply_patterns(project, app.directory.path()) == 1);
    CHECK(outside.files().contains("kept.log"));
}
