#include "cache_policy.h"

#include "inert_buildpack.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace builder;
namespace fs = std::filesystem;

namespace {

struct World {
    base::TempDir directory{"slipway-test"};
    Workspace workspace{directory.path() / "work"};
    fs::path cache = directory.path() / "cache";
    std::vector<std::string> damage;

    LayerCache open(std::uint64_t most_bytes = 0) {
        return LayerCache(
            cache, [this](const std::string& text) { damage.push_back(text); }, most_bytes);
    }
    void layer(const std::string& pack, const std::string& name) {
        fs::create_directories(workspace.layers / pack / name);
        base::write_file(workspace.layers / pack / name / "content", name);
    }
};

BuildpackRecord record(const std::string& id, std::map<std::string, LayerRecord> layers) {
    return {id, "1", std::move(layers), {}};
}

const buildpacks::LayerTypes launch_cache{.launch = true, .cache = true};
const buildpacks::LayerTypes only_cache{.cache = true};

} // namespace

TEST_CASE("cached layers come back with their metadata, the others do not") {
    World world;
    world.layer("a_b", "deps");
    world.layer("a_b", "launch-only");
    {
        auto cache = world.open();
        keep_after_success(cache,
                           {record("a/b", {{"deps", {"sha256:1", R"({"k":"v"})", launch_cache}},
                                           {"launch-only", {"sha256:2", "{}", {.launch = true}}}})},
                           "sha256:b", world.workspace);
    }
    auto cache = world.open();
    REQUIRE(cache.find("a/b"));
    CHECK(cache.find("a/b")->layers.size() == 1);
    CHECK(cache.find("a/b")->layers.at("deps").metadata_json == R"({"k":"v"})");
    const auto target = world.directory.path() / "out";
    CHECK(cache.take("a/b", "deps", target));
    CHECK(base::read_file(target / "content") == "deps");
    CHECK_FALSE(cache.take("a/b", "deps", target));
}

TEST_CASE("a build that was killed leaves an empty cache, not half of one") {
    World world;
    world.layer("a_b", "deps");
    {
        auto cache = world.open();
        keep_after_success(cache, {record("a/b", {{"deps", {"", "{}", only_cache}}})}, "sha256:b",
                           world.workspace);
    }
    { auto killed = world.open(); }
    auto cache = world.open();
    CHECK_FALSE(cache.find("a/b"));
    CHECK_FALSE(cache.take("a/b", "deps", world.directory.path() / "out"));
    CHECK(world.damage.empty());
}

TEST_CASE("a damaged cache is dropped with a line, and the build goes on") {
    World world;
    for (const char* bytes : {"", "{", R"({"buildpacks":3})", R"({"buildpacks":[{"key":1}]})"}) {
        fs::create_directories(world.cache);
        base::write_file(world.cache / "metadata.json", bytes);
        world.damage.clear();
        auto cache = world.open();
        CHECK_FALSE(cache.find("a/b"));
        CHECK(world.damage.size() == 1);
        CHECK_FALSE(fs::exists(world.cache / "layers"));
    }
}

TEST_CASE("after a failure stay: what was not touched, what is unchanged, and download caches") {
    World world;
    const InertBuildpack done("t/done"), failed("t/failed"), waiting("t/waiting");
    for (const char* pack : {"t_done", "t_failed", "t_waiting"})
        for (const char* name : {"deps", "downloads"}) world.layer(pack, name);
    {
        auto cache = world.open();
        std::vector<BuildpackRecord> records;
        for (const char* id : {"t/done", "t/failed", "t/waiting"})
            records.push_back(record(id, {{"deps", {"sha256:1", R"({"k":1})", launch_cache}},
                                          {"downloads", {"", "{}", only_cache}}}));
        keep_after_success(cache, records, "sha256:b", world.workspace);
    }
    {
        auto cache = world.open();
        for (const std::string pack : {"t_done", "t_failed", "t_waiting"})
            for (const std::string name : {"deps", "downloads"})
                REQUIRE(
                    cache.take("t/" + pack.substr(2), name, world.workspace.layers / pack / name));
        buildpacks::Built built;
        built.layers = {{"deps", launch_cache, R"({"k":1})", true},
                        {"downloads", only_cache, "{}", true}};
        keep_after_failure(cache, {{&done, {}}, {&failed, {}}, {&waiting, {}}}, {{&done, built}},
                           world.workspace);
    }
    auto cache = world.open();
    REQUIRE(cache.find("t/done"));
    CHECK(cache.find("t/done")->layers.size() == 2);
    CHECK(cache.find("t/failed")->layers.size() == 1);
    CHECK(cache.find("t/failed")->layers.contains("downloads"));
    CHECK(cache.find("t/waiting")->layers.size() == 2);
}

TEST_CASE("without a directory there is no cache, and nothing goes wrong") {
    LayerCache cache({}, [](const std::string&) {});
    CHECK_FALSE(cache.find("a/b"));
    CHECK_FALSE(cache.take("a/b", "x", "/nonexistent"));
    cache.commit();
}

TEST_CASE("layers of a buildpack that the app has left do not stay in the cache") {
    World world;
    world.layer("a_b", "deps");
    world.layer("c_d", "deps");
    {
        auto cache = world.open();
        keep_after_success(cache, {record("a/b", {{"deps", {"", "{}", only_cache}}})}, "sha256:b",
                           world.workspace);
    }
    auto cache = world.open();
    keep_after_success(cache, {record("c/d", {{"deps", {"", "{}", only_cache}}})}, "sha256:b",
                       world.workspace);
    CHECK(fs::exists(world.cache / "layers/c_d/deps"));
    CHECK_FALSE(fs::exists(world.cache / "layers/a_b/deps"));
}

TEST_CASE("a cached layer that is not what it was is dropped by name, the others stay") {
    const auto damage = [](const std::function<void(const fs::path&)>& harm) {
        World world;
        world.layer("a_b", "deps");
        world.layer("a_b", "fine");
        {
            auto cache = world.open();
            keep_after_success(cache,
                               {record("a/b", {{"deps", {"", "{}", only_cache}},
                                               {"fine", {"", "{}", only_cache}}})},
                               "", world.workspace);
        }
        harm(world.cache / "layers/a_b/deps");
        auto cache = world.open();
        CHECK_FALSE(cache.take("a/b", "deps", world.directory.path() / "deps"));
        CHECK(cache.take("a/b", "fine", world.directory.path() / "fine"));
        REQUIRE(world.damage.size() == 1);
        CHECK_THAT(world.damage[0], Catch::Contains("a/b:deps") && Catch::Contains("dropped"));
        CHECK_FALSE(fs::exists(world.cache / "layers/a_b/deps"));
    };
    damage([](const fs::path& layer) {
        base::write_file(layer / "content", "dEps"); // some time later
        fs::last_write_time(layer / "content",
                            fs::file_time_type::clock::now() + std::chrono::seconds(1));
    });
    damage([](const fs::path& layer) { fs::resize_file(layer / "content", 1); });
    damage([](const fs::path& layer) { fs::remove(layer / "content"); });
    damage([](const fs::path& layer) { base::write_file(layer / "more", ""); });
    damage([](const fs::path& layer) { fs::create_symlink("content", layer / "link"); });
    damage([](const fs::path& layer) { fs::remove_all(layer); });
}

TEST_CASE("above its limit the cache loses what was unused for longest, and says so") {
    World world;
    const auto build = [&](const std::string& pack, std::uint64_t most) {
        auto cache = world.open(most);
        world.layer("t_" + pack, "deps");
        base::write_file(world.workspace.layers / ("t_" + pack) / "deps/large",
                         std::string(100, 'x'));
        keep_after_success(cache, {record("t/" + pack, {{"deps", {"", "{}", only_cache}}})}, "",
                           world.workspace);
    };
    build("one", 250);
    build("two", 250);
    CHECK(world.damage.empty());
    CHECK(fs::exists(world.cache / "layers/t_one/deps"));
    build("three", 250);
    REQUIRE(world.damage.size() == 1);
    CHECK_THAT(world.damage[0], Catch::Contains("t/one:deps") && !Catch::Contains("t/three"));
    CHECK_FALSE(fs::exists(world.cache / "layers/t_one/deps"));
    CHECK(fs::exists(world.cache / "layers/t_two/deps"));
    CHECK(fs::exists(world.cache / "layers/t_three/deps"));
    build("four", 50); // alone above the limit
    CHECK(world.damage.size() == 2);
    CHECK_FALSE(fs::exists(world.cache / "layers/t_four/deps"));
}

TEST_CASE("bills of materials stay in the cache with the image they are of") {
    World world;
    world.layer("a_b", "deps");
    fs::create_directories(world.workspace.bills / "cache/a_b/deps");
    base::write_file(world.workspace.bills / "cache/a_b/deps/sbom.cdx.json", "{}");
    {
        auto cache = world.open();
        keep_after_success(cache, {record("a/b", {{"deps", {"", "{}", only_cache}}})}, "sha256:b",
                           world.workspace);
    }
    auto cache = world.open();
    CHECK(cache.bills_diff_id() == "sha256:b");
    CHECK(base::read_file(cache.bills() / "cache/a_b/deps/sbom.cdx.json") == "{}");
}
