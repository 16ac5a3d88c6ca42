// A state directory as years leave it, made up in a moment: what goes and what never does.
#include "retention.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/in_use.h"
#include "base/json.h"
#include "base/task_group.h"
#include "base/temp_dir.h"
#include "image/image.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

using apps::BuildState;
using server::DryRun;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr auto day = std::chrono::hours(24);

class Years {
  public:
    Years() {
        config.builds = 90 * day;
        config.builds_kept = 2;
        config.logs = 30 * day;
        config.logs_size = 0;
        store->add_app({"shop", 1});
        store->add_app({"blog", 1});
    }

    std::string add_build(const std::string& app, BuildState state, std::chrono::hours age,
                          std::size_t log_bytes = 100) {
        apps::Build build;
        // Ids sort by time; the tests add the oldest first.
        build.id = apps::new_build_id();
        build.app = app;
        build.state = state;
        build.ref = "refs/heads/" + build.id;
        build.created = apps::now_milliseconds() - std::chrono::milliseconds(age).count();
        if (apps::is_over(state)) build.finished = build.created;
        store->builds().add(build);
        base::write_file(log_of(build.id), std::string(log_bytes, 'x'));
        base::write_file(state_directory.logs() / (build.id + ".detection.json"), "{}\n");
        return build.id;
    }
    fs::path log_of(const std::string& id) { return state_directory.log_of(id); }
    bool has_build(const std::string& id) { return store->builds().find(id).has_value(); }

    void add_file(const fs::path& path, std::chrono::hours age, std::size_t bytes = 1000) {
        fs::create_directories(path.parent_path());
        base::write_file(path, std::string(bytes, 'x'));
        set_age(path, age);
    }
    static void set_age(const fs::path& path, std::chrono::hours age) {
        fs::last_write_time(path, fs::file_time_type::clock::now() - age);
    }
    server::PruneReport prune(DryRun dry_run = DryRun::no) {
        return server::prune({config, state_directory, *store}, dry_run);
    }
    static std::uint64_t count(const server::PruneReport& report, const std::string& kind) {
        return static_cast<std::uint64_t>(
            std::count_if(report.items.begin(), report.items.end(),
                          [&](const auto& item) { return item.kind == kind; }));
    }

    base::TempDir directory{"retention"};
    server::StateDirectory state_directory{directory.path() / "state", server::own_user(), 0};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(state_directory.database());
    server::Config::Retention config;
};

} // namespace

TEST_CASE("old builds leave with their files; the newest ones and the last published one stay") {
    Years years;
    const auto published = years.add_build("shop", BuildState::published, 400 * day);
    const auto old = years.add_build("shop", BuildState::refused, 300 * day);
    const auto kept = years.add_build("shop", BuildState::refused, 200 * day);
    const auto newest = years.add_build("shop", BuildState::broken, 190 * day);
    const auto report = years.prune();
    CHECK_FALSE(years.has_build(old));
    CHECK_FALSE(fs::exists(years.log_of(old)));
    CHECK_FALSE(fs::exists(years.state_directory.logs() / (old + ".detection.json")));
    for (const auto& id : {published, kept, newest}) CHECK(years.has_build(id));
    CHECK(Years::count(report, "build") == 1);
    CHECK(report.items.front().bytes == 103);
}

TEST_CASE("a dry run says the same and removes nothing") {
    Years years;
    for (int i = 0; i < 5; ++i) years.add_build("shop", BuildState::refused, 200 * day);
    years.add_file(years.state_directory.caches() / "gone" / "file", 1 * day);
    years.add_file(years.state_directory.buildpack_sources() / "trees" / "t" / "file", 1 * day);
    Years::set_age(years.state_directory.buildpack_sources() / "trees" / "t", 99 * day);
    const auto said = years.prune(DryRun::yes);
    CHECK(years.store->builds().count({}) == 5);
    CHECK(fs::exists(years.state_directory.caches() / "gone" / "file"));
    const auto done = years.prune();
    CHECK(Years::count(said, "build") == 3);
    // Not one of the logs that left with their builds, and nothing twice.
    CHECK(Years::count(said, "log") == 2);
    const auto words = [](const server::PruneReport& report) {
        std::vector<std::string> lines;
        for (const auto& item : report.items)
            lines.push_back(item.kind + " " + item.name + " " + std::to_string(item.bytes) + " " +
                            item.reason);
        return lines;
    };
    CHECK(words(said) == words(done));
    CHECK_FALSE(fs::exists(years.state_directory.caches() / "gone"));
    CHECK(years.prune().items.empty());
}

TEST_CASE("a dry run counts the rows of ledgers, and says of all kinds just what then leaves") {
    Years years;
    years.config.builds_kept = 0;
    years.config.logs_size = 250; // of what the builds' own leaving leaves
    years.store->hooks().add({.id = "h1", .app = "shop", .kind = "github"});
    for (int i = 0; i < 7; ++i)
        years.store->notices().add({.kind = "status",
                                    .app = "shop",
                                    .target = "h1",
                                    .subject = "b" + std::to_string(i),
                                    .payload = "{}",
                                    .state = i < 2 ? "open" : "sent",
                                    .created = 1});
    for (const char* key : {"one", "two", "three"})
        years.store->idempotency().begin("t1", key, "request", 1);
    for (const char* id : {"d1", "d2"}) {
        apps::Delivery delivery{
            .hook = "h1", .delivery = id, .state = "ignored", .content = "{}", .received = 1};
        REQUIRE(years.store->hooks().record(delivery));
    }
    years.add_build("blog", BuildState::refused, 200 * day);
    years.add_file(years.state_directory.caches() / "blog" / "layer", 1h);
    years.config.caches = 300 * day;
    for (int i = 0; i < 3; ++i) years.add_build("shop", BuildState::refused, 200 * day);
    for (int i = 0; i < 3; ++i) years.add_build("shop", BuildState::published, 10 * day);

    const auto said = years.prune(DryRun::yes), done = years.prune();
    REQUIRE(said.items.size() == done.items.size());
    for (std::size_t i = 0; i < said.items.size(); ++i) {
        CHECK(said.items[i].kind == done.items[i].kind);
        CHECK(said.items[i].name == done.items[i].name);
        CHECK(said.items[i].bytes == done.items[i].bytes);
        CHECK(said.items[i].count == done.items[i].count);
    }
    const auto rows = [&](const std::string& kind) {
        for (const auto& item : said.items)
            if (item.kind == kind) return item.count;
        return std::uint64_t{0};
    };
    CHECK(rows("notice") == 5);
    CHECK(rows("idempotency key") == 3);
    CHECK(rows("delivery") == 2);
    CHECK(Years::count(said, "build") == 4);
    CHECK(Years::count(said, "log") == 1);
    CHECK(years.prune(DryRun::yes).items.empty());
}

TEST_CASE("a cache whose app has only old builds is told of by a dry run as it leaves") {
    Years years;
    years.config.builds_kept = 0;
    years.add_build("shop", BuildState::refused, 100 * day);
    years.config.caches = 365 * day;
    years.add_file(years.state_directory.caches() / "shop" / "layer", 1h);
    const auto said = years.prune(DryRun::yes), done = years.prune();
    CHECK(Years::count(said, "build") == 1);
    CHECK(Years::count(said, "cache") == Years::count(done, "cache"));
}

TEST_CASE("builds that wait or run keep their rows and logs, whatever their age") {
    Years years;
    years.config.builds_kept = 0;
    years.config.logs_size = 1;
    const auto waiting = years.add_build("shop", BuildState::queued, 400 * day);
    const auto running = years.add_build("blog", BuildState::queued, 400 * day);
    REQUIRE(years.store->builds().claim("somebody", 1h));
    years.prune();
    for (const auto& id : {waiting, running}) {
        CHECK(years.has_build(id));
        CHECK(fs::exists(years.log_of(id)));
    }
}

TEST_CASE("logs leave before their builds, by age and by the size of all, the oldest first") {
    Years years;
    const auto aged = years.add_build("shop", BuildState::published, 31 * day);
    const auto older = years.add_build("shop", BuildState::published, 3 * day, 5000);
    const auto newer = years.add_build("shop", BuildState::published, 2 * day, 5000);
    years.prune();
    CHECK_FALSE(fs::exists(years.log_of(aged)));
    CHECK(years.has_build(aged));
    CHECK(fs::exists(years.log_of(older)));
    years.config.logs_size = 6000;
    const auto report = years.prune();
    CHECK_FALSE(fs::exists(years.log_of(older)));
    CHECK(fs::exists(years.log_of(newer)));
    CHECK(Years::count(report, "log") == 1);
}

TEST_CASE("a log without a build goes, but not one whose row is just being written") {
    Years years;
    years.add_file(years.log_of("b000000orphan"), 2h);
    years.add_file(years.log_of("b000000newone"), 0h);
    years.add_file(years.log_of("registry"), 2h);
    years.prune();
    CHECK(fs::exists(years.log_of("registry"))); // is no build's
    CHECK_FALSE(fs::exists(years.log_of("b000000orphan")));
    CHECK(fs::exists(years.log_of("b000000newone")));
}

TEST_CASE("caches of apps that are not built leave, one that a build is using does not") {
    Years years;
    years.add_build("shop", BuildState::published, 40 * day);
    years.add_build("blog", BuildState::queued, 40 * day);
    REQUIRE(years.store->builds().claim("somebody", 1h)->build.app == "blog");
    const auto caches = years.state_directory.caches();
    years.add_file(caches / "shop" / "metadata.json", 40 * day);
    years.add_file(caches / "blog" / "metadata.json", 40 * day);
    const auto report = years.prune();
    CHECK_FALSE(fs::exists(caches / "shop"));
    CHECK(fs::exists(caches / "blog" / "metadata.json"));
    CHECK(Years::count(report, "cache") == 1);
}

TEST_CASE("caches above their size leave, the least recently built app's first") {
    Years years;
    years.config.caches_size = 1500;
    years.add_build("shop", BuildState::published, 2 * day);
    years.add_build("blog", BuildState::published, 1 * day);
    const auto caches = years.state_directory.caches();
    years.add_file(caches / "shop" / "layer", 1h);
    years.add_file(caches / "blog" / "layer", 1h);
    years.prune();
    CHECK_FALSE(fs::exists(caches / "shop"));
    CHECK(fs::exists(caches / "blog"));
}

TEST_CASE(
    "a server that always builds loses its old buildpacks and layers too, but for those in use") {
    Years years;
    const auto trees = years.state_directory.buildpack_sources() / "trees";
    const auto layers = years.state_directory.images() / "layers";
    // Of buildpacks that come as images.
    years.add_file(years.state_directory.buildpack_sources() / "images/layers/old/file", 99 * day);
    for (const auto& root : {trees, layers})
        for (const char* name : {"old", "used"}) {
            years.add_file(root / name / "file", 99 * day);
            Years::set_age(root / name, 99 * day);
        }
    years.add_build("shop", BuildState::queued, 0h);
    REQUIRE(years.store->builds().claim("somebody", 1h));
    // As the worker of a build has them, however long it goes on.
    auto tree = base::use(trees / "used"), layer = base::use(layers / "used");
    const auto said = years.prune(DryRun::yes);
    CHECK(Years::count(said, "buildpack") == 1);
    CHECK(Years::count(said, "layer") == 2);
    const auto report = years.prune();
    CHECK(Years::count(report, "buildpack") == 1);
    CHECK(Years::count(report, "layer") == 2);
    for (const auto& root : {trees, layers}) {
        CHECK_FALSE(fs::exists(root / "old"));
        CHECK(fs::exists(root / "used" / "file"));
    }
    tree.reset();
    layer.reset();
    years.prune();
    for (const auto& root : {trees, layers}) CHECK_FALSE(fs::exists(root / "used"));
}

TEST_CASE("a mirror is as old as its lock, and what a prune left half removed goes") {
    Years years;
    const auto sources = years.state_directory.buildpack_sources();
    const auto mirror = sources / "git" / "mirror", half = sources / "trees" / ".leaving-tree";
    for (const auto& path : {mirror, half}) {
        years.add_file(path / "file", 99 * day);
        Years::set_age(path, 99 * day);
    }
    years.add_file(sources / "locks" / "git-mirror", 1 * day);
    years.prune();
    CHECK(fs::exists(mirror));
    CHECK_FALSE(fs::exists(half));
    Years::set_age(sources / "locks" / "git-mirror", 99 * day);
    years.prune();
    CHECK_FALSE(fs::exists(mirror));
}

TEST_CASE("a build that begins while its app's cache is taken away has a cache to fill") {
    Years years;
    const auto cache = years.state_directory.caches() / "shop";
    years.add_file(cache / "metadata.json", 40 * day);
    base::TaskGroup threads;
    const auto begun = base::make_pipe();
    REQUIRE(base::while_unused(cache, [&] { // as a prune that has asked the table
        threads.start([&](const base::Stop&) {
            base::write_all(begun.write.get(), "x");
            years.state_directory.make_cache_of("shop");
        });
        char byte = 0;
        base::read_some(begun.read.get(), &byte, 1);
        // It may not come back with the old directory, however long this takes.
        base::Stop{}.wait(100ms);
        fs::rename(cache, cache.parent_path() / ".leaving-shop");
    }));
    threads.join();
    CHECK(fs::is_directory(cache));
    CHECK(fs::is_empty(cache));
}

TEST_CASE("layers of an image that is used stay, whatever they lie on") {
    Years years;
    const auto root = years.state_directory.images();
    std::vector<image::Layer> layers;
    for (const char* name : {"lower", "upper"})
        layers.push_back({{std::string(image::media_type::layer_tar), image::Digest::of(name), 1},
                          image::Digest::of(name)});
    const auto used = image::Image("amd64").with_layers(layers, {{"lower"}, {"upper"}});
    fs::create_directories(root / "images");
    base::write_file(root / "images" / (used.digest().hex() + ".json"),
                     base::json::render(
                         {{"manifest", used.render_manifest()}, {"config", used.render_config()}}));
    // The image specification's chain id of the upper one.
    const auto chain =
        image::Digest::of(layers[0].diff_id.render() + " " + layers[1].diff_id.render());
    const auto alone = layers[0].diff_id.hex(), above = "on-" + chain.hex(),
               of_nobody = "on-" + layers[1].diff_id.hex();
    for (const auto& name : {alone, above, of_nobody}) {
        years.add_file(root / "layers" / name / "file", 99 * day);
        Years::set_age(root / "layers" / name, 99 * day);
    }
    years.prune();
    CHECK(fs::exists(root / "layers" / alone));
    CHECK(fs::exists(root / "layers" / above));
    CHECK_FALSE(fs::exists(root / "layers" / of_nobody));
}

TEST_CASE("what another keeper of files tells is in the report") {
    Years years;
    std::vector<DryRun> asked;
    const auto report =
        server::prune({years.config, years.state_directory, *years.store, {[&](DryRun dry_run) {
                           asked.push_back(dry_run);
                           return std::vector<server::PruneItem>{{"upload", "sha256:0", 7, "old"}};
                       }}},
                      DryRun::yes);
    CHECK(asked == std::vector{DryRun::yes});
    CHECK(report.bytes() == 7);
}
