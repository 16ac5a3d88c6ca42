#include "phases/project_dir.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace builder;
namespace fs = std::filesystem;

namespace {

struct Source {
    base::TempDir directory{"slipway-test"};
    fs::path app = directory.path() / "app";
    Source& file(const std::string& name, const std::string& bytes = "x") {
        fs::create_directories((app / name).parent_path());
        base::write_file(app / name, bytes);
        return *this;
    }
};

} // namespace

TEST_CASE("the folder PROJECT_DIR becomes the whole app") {
    for (const char* written : {"services/web", "./services//web/"}) {
        Source source;
        source.file("services/web/lib/x").file("secret");
        enter_project_directory(source.app, written);
        CHECK(fs::exists(source.app / "lib/x"));
        CHECK_FALSE(fs::exists(source.app / "secret"));
        CHECK_FALSE(fs::exists(source.directory.path() / "whole-source"));
    }
}

TEST_CASE("manifests of the folders above are answered, the nearest first") {
    Source source;
    source.file("scalingo.json", "root")
        .file("a/app.json", "middle")
        .file("a/b/scalingo.json", "own");
    source.file("a/scalingo.json", "first");
    std::vector<std::string> found;
    for (const auto& [file, text] : enter_project_directory(source.app, "a/b"))
        found.push_back(file + " " + text);
    CHECK(found == std::vector<std::string>{"a/scalingo.json first", "a/app.json middle",
                                            "scalingo.json root"});
}

TEST_CASE("the root itself is no change") {
    Source source;
    source.file("x");
    CHECK(enter_project_directory(source.app, ".").empty());
    CHECK(fs::exists(source.app / "x"));
}

TEST_CASE("a PROJECT_DIR that is not there, leads out or is a link is refused by name") {
    Source source;
    source.file("x").file("folder/y");
    fs::create_directory_symlink("/etc", source.app / "link");
    fs::create_directory_symlink("folder", source.app / "inner");
    for (const char* wrong :
         {"nothing", "x", "..", "../app", "a/../../app", "/etc", "link", "link/ssl", "inner"}) {
        INFO(wrong);
        CHECK_THROWS_WITH(enter_project_directory(source.app, wrong),
                          Catch::Contains("PROJECT_DIR") && Catch::Contains(wrong));
    }
    CHECK(fs::exists(source.app / "x"));
}
