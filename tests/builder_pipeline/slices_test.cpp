#include "app_slices.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace builder;
namespace fs = std::filesystem;

namespace {

using Names = std::set<std::string, std::less<>>;

struct App {
    base::TempDir directory{"slipway-test"};
    explicit App(const std::vector<std::string>& files) {
        for (const auto& file : files) {
            fs::create_directories((directory.path() / file).parent_path());
            base::write_file(directory.path() / file, "");
        }
    }
    AppSlices slices() const { return AppSlices(directory.path(), "/workspace"); }
};

} // namespace

TEST_CASE("globs match as Go's filepath.Match does") {
    struct Case {
        const char* pattern;
        const char* path;
        bool matches;
    };
    for (const auto& [pattern, path, matches] : {Case{"a", "a", true},
                                                 {"a", "ab", false},
                                                 {"*", "a/b", false},
                                                 {"*/b", "a/b", true},
                                                 {"a*", "abc", true},
                                                 {"a*c", "abbc", true},
                                                 {"a*b*c", "axbxbxc", true},
                                                 {"*.css", "x.css.map", false},
                                                 {"?", "\xc3\xa9", true},
                                                 {"??", "\xc3\xa9", false},
                                                 {"[a-c]x", "bx", true},
                                                 {"[^a-c]x", "bx", false},
                                                 {"[^a-c]x", "dx", true},
                                                 {"[!a]", "!", true},
                                                 {"[!a]", "b", false},
                                                 {"\\*", "*", true},
                                                 {"\\*", "a", false},
                                                 {"[\\]]", "]", true},
                                                 {".*", ".git", true},
                                                 {"*", ".git", true},
                                                 {"", "a", false}}) {
        INFO(pattern << " " << path);
        CHECK(matches_glob(pattern, path) == matches);
    }
    for (const char* pattern : {"[", "[a", "a\\", "[]", "[-a]", "[a-]"})
        CHECK_THROWS_AS(matches_glob(pattern, "a"), base::Error);
}

TEST_CASE("a pattern of many stars is no way to make a build slow") {
    std::string pattern, name(200, 'a');
    for (int i = 0; i < 60; ++i) pattern += "a*";
    CHECK_FALSE(matches_glob(pattern + "b", name));
}

TEST_CASE("a slice takes what it matches with all below it, the next what is left of that") {
    const App app({"public/style.css", "public/deep/er/two.txt", "public/one.txt", "file.txt"});
    auto slices = app.slices();
    CHECK(slices.take({{"public/*.css", "public/deep"}}) ==
          Names{"", "public", "public/deep", "public/deep/er", "public/deep/er/two.txt",
                "public/style.css"});
    CHECK(slices.take({{"*/one.txt", "nothing", "../outside"}}) ==
          Names{"", "public", "public/one.txt"});
    CHECK(slices.take({{"public/style.css"}}).empty());
    // public is empty by now and needs no telling.
    CHECK(slices.take_rest() == Names{"", "file.txt"});
}

TEST_CASE("absolute globs are of the application, and everything sliced leaves nothing") {
    const App app({"a/b", "c"});
    auto slices = app.slices();
    CHECK(slices.take({{"/workspace/a/", "./c"}}) == Names{"", "a", "a/b", "c"});
    CHECK(slices.take_rest().empty());
}

TEST_CASE("links are taken as links, wherever they lead") {
    const App app({"a"});
    fs::create_directory_symlink("/etc", app.directory.path() / "etc");
    auto slices = app.slices();
    CHECK(slices.take({{"etc", "etc/*"}}) == Names{"", "etc"});
}
