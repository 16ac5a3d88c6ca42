#include "slug_ignore.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fcntl.h>

using namespace builder;
namespace fs = std::filesystem;

namespace {

struct App {
    base::TempDir directory{"slipway-test"};
    base::TempDir aside{"slipway-test"};
    base::UniqueFd log = base::open_file(aside.path() / "log", O_WRONLY | O_CREAT | O_APPEND);
    Reporter report{log.get(), 1u << 20};

    std::string said() const { return base::read_file(aside.path() / "log"); }
    App& file(const std::string& name) {
        fs::create_directories((directory.path() / name).parent_path());
        base::write_file(directory.path() / name, "x");
        return *this;
    }
    // What is left of the files named.
    std::vector<std::string> prune(const std::string& patterns) {
        base::write_file(directory.path() / ".slugignore", patterns);
        apply_slug_ignore(directory.path(), report);
        std::vector<std::string> left;
        for (const auto& entry : fs::recursive_directory_iterator(directory.path()))
            if (!entry.is_directory() && entry.path().filename() != ".slugignore")
                left.push_back(fs::relative(entry.path(), directory.path()).string());
        std::sort(left.begin(), left.end());
        return left;
    }
};

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("patterns are globs from the root of the app; a leading slash means nothing") {
    App app;
    for (const char* name : {"a.psd", "deep/b.psd", "test/one", "spec/two", "keep", "x/test/three"})
        app.file(name);
    CHECK(app.prune("*.psd\r\n  /test/ \n\n# keep\nspec\n") ==
          Names{"deep/b.psd", "keep", "x/test/three"});
}

TEST_CASE("a star stays within a folder and matches no leading dot") {
    App app;
    for (const char* name : {"d/one.md", "d/e/two.md", "d/.hidden", ".env"}) app.file(name);
    CHECK(app.prune("*/*.md\nd/*\n") == Names{".env", "d/.hidden"});
    CHECK(app.prune("d/.*\n.e[mn]v\n") == Names{});
}

TEST_CASE("a bad pattern is told with its line and the others count") {
    App app;
    app.file("one").file("two");
    CHECK(app.prune("[unclosed\n../up\n/\n.\ntw\\\none\n") == Names{"two"});
    CHECK_THAT(app.said(), Catch::Contains("line 1:") && Catch::Contains("[unclosed"));
    for (const char* line : {"line 2:", "line 3:", "line 4:", "line 5:"})
        CHECK_THAT(app.said(), Catch::Contains(line));
    CHECK_THAT(app.said(), !Catch::Contains("line 6:") && Catch::Contains("keeps 1 entry"));
}

TEST_CASE("links are removed and never followed") {
    App app;
    base::TempDir outside("slipway-test");
    base::write_file(outside.path() / "file", "x");
    fs::create_directory_symlink(outside.path(), app.directory.path() / "link");
    fs::create_directory_symlink(outside.path(), app.directory.path() / "other");
    app.prune("link/file\nlink/*\nother\n");
    CHECK(fs::exists(outside.path() / "file"));
    CHECK(fs::is_symlink(app.directory.path() / "link"));
    CHECK_FALSE(fs::is_symlink(app.directory.path() / "other"));
}

TEST_CASE("without the file nothing is said") {
    App app;
    apply_slug_ignore(app.directory.path(), app.report);
    CHECK(app.said().empty());
}
