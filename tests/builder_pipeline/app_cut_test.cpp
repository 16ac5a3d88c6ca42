#include "app_cut.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

using namespace builder;
namespace fs = std::filesystem;

namespace {

// Files are holes: what is cut is names and sizes.
struct App {
    base::TempDir directory{"cut"};

    void file(const std::string& name, std::uint64_t size) {
        const auto path = directory.path() / name;
        fs::create_directories(path.parent_path());
        base::write_file(path, "");
        REQUIRE(::truncate(path.c_str(), static_cast<off_t>(size)) == 0);
    }
    // About 400 MB in 4,000 files.
    void fill() {
        for (int i = 0; i < 4000; ++i)
            file("node_modules/package-" + std::to_string(i / 40) + "/lib/" + std::to_string(i) +
                     ".js",
                 40'000 + static_cast<std::uint64_t>(i) * 7919 % 120'000);
    }
    std::vector<std::set<std::string>> cut() const {
        const auto listing = image::TreeListing::read(directory.path(), image::EntryOrder::by_path);
        std::vector<std::set<std::string>> parts;
        for (const auto& part : cut_app(listing, image::select_all(listing))) {
            auto& names = parts.emplace_back();
            for (const auto place : part) names.insert(listing.path(place));
        }
        return parts;
    }
};

std::size_t changed(const std::vector<std::set<std::string>>& before,
                    const std::vector<std::set<std::string>>& after) {
    const std::set<std::set<std::string>> old(before.begin(), before.end());
    return static_cast<std::size_t>(std::count_if(
        after.begin(), after.end(), [&](const auto& part) { return !old.contains(part); }));
}

} // namespace

TEST_CASE("a small app is one layer") {
    App app;
    app.file("a/b", 30u << 20);
    app.file("c", 30u << 20);
    CHECK(app.cut() == std::vector<std::set<std::string>>{{"", "a", "a/b", "c"}});
}

TEST_CASE("an empty app is one layer") {
    const App app;
    CHECK(app.cut() == std::vector<std::set<std::string>>{{""}});
}

TEST_CASE("a large app is cut, each entry is in one layer, and its directories are with it") {
    App app;
    app.fill();
    const auto parts = app.cut();
    CHECK(parts.size() >= 10);
    CHECK(parts.size() <= most_app_layers);
    std::map<std::string, int> files;
    for (const auto& part : parts)
        for (const auto& name : part) {
            if (name.ends_with(".js")) ++files[name];
            if (!name.empty()) CHECK(part.contains(fs::path(name).parent_path().string()));
        }
    CHECK(files.size() == 4000);
    for (const auto& [name, times] : files) CHECK(times == 1);
}

TEST_CASE("a file that comes, goes or grows a little moves no more than the layers beside it") {
    App app;
    app.fill();
    const auto before = app.cut();
    app.file("node_modules/package-50/lib/added.js", 50'000);
    CHECK(changed(before, app.cut()) <= 2);
    app.file("node_modules/package-7/lib/290.js", 300'000);
    CHECK(changed(before, app.cut()) <= 4);
    fs::remove(app.directory.path() / "node_modules/package-90/lib/3601.js");
    CHECK(changed(before, app.cut()) <= 6);
}

TEST_CASE("a large file is a layer of its own, so that its small neighbours change without it") {
    App app;
    app.file("bin/large", 200u << 20);
    app.file("bin/small", 100);
    app.file("a", 100);
    const auto parts = app.cut();
    REQUIRE(parts.size() == 3);
    CHECK(parts[1] == std::set<std::string>{"", "bin", "bin/large"});
    CHECK(parts[2] == std::set<std::string>{"", "bin", "bin/small"});
}

TEST_CASE("however the sizes fall there are no more layers than an image should have") {
    App app;
    for (int i = 0; i < 300; ++i) {
        app.file("large-" + std::to_string(i), 40u << 20);
        app.file("large-" + std::to_string(i) + ".small", 10);
    }
    CHECK(app.cut().size() <= most_app_layers);
}

// Another cut is another image for every large app.
TEST_CASE("where a tree is cut is an agreement with every image made before") {
    App app;
    app.fill();
    std::vector<std::string> firsts;
    for (const auto& part : app.cut())
        for (const auto& name : part)
            if (name.ends_with(".js")) {
                firsts.push_back(fs::path(name).stem().string());
                break;
            }
    CHECK(firsts == std::vector<std::string>{"0",    "473",  "811",  "972",  "1161", "1297",
                                             "1381", "1501", "1671", "1877", "2070", "2255",
                                             "272",  "2612", "2714", "2860", "3176", "3448",
                                             "3588", "3814", "3937"});
}
