#include "apps/store.h"

#include "base/error.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sqlite3.h>
#include <sys/stat.h>

using apps::Build;
using apps::BuildState;
using base::ErrorKind;

namespace {

struct Opened {
    base::TempDir directory{"store"};
    std::filesystem::path file = directory.path() / "slipway.db";
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(file);
    void reopen() {
        store.reset();
        store = apps::open_sqlite_store(file);
    }
};

ErrorKind kind_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const base::Error& error) {
        return error.kind();
    }
    FAIL("nothing was thrown");
    return ErrorKind::internal;
}

Build queued(const std::string& app) {
    Build build;
    build.id = apps::new_build_id();
    build.app = app;
    build.source_kind = "git";
    build.commit = std::string(40, 'a');
    build.ref = "refs/heads/main";
    build.created = apps::now_milliseconds();
    return build;
}

Build published(const std::string& app, const std::string& digest, std::int64_t finished) {
    Build build = queued(app);
    build.state = BuildState::published;
    build.digest = digest;
    build.finished = finished;
    return build;
}

// A second program that holds the write lock.
class WriteLock {
  public:
    explicit WriteLock(const std::filesystem::path& file) {
        REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db_, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr) == SQLITE_OK);
    }
    ~WriteLock() { sqlite3_close(db_); }

  private:
    sqlite3* db_ = nullptr;
};

} // namespace

TEST_CASE("an app is remembered over a restart and its name is taken") {
    Opened opened;
    opened.store->add_app({"shop", 1'700'000'000'123});
    opened.reopen();
    REQUIRE(opened.store->find_app("shop"));
    CHECK(opened.store->find_app("shop")->created == 1'700'000'000'123);
    CHECK_FALSE(opened.store->find_app("shop'; DROP TABLE apps; --"));
    CHECK(kind_of([&] { opened.store->add_app({"shop", 1}); }) == ErrorKind::already_exists);
    CHECK(opened.store->list_apps().size() == 1);
}

TEST_CASE("the database and its journal are for its owner alone") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    for (const char* suffix : {"", "-wal"}) {
        struct stat info {};
        REQUIRE(::stat((opened.file.string() + suffix).c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
    }
}

TEST_CASE("a fingerprint is added once, whatever it is called") {
    Opened opened;
    opened.store->add_key({"ann", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA", {}, 5});
    CHECK(
        kind_of([&] {
            opened.store->add_key({"bob", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA", {}, 6});
        }) == ErrorKind::already_exists);
    CHECK(
        kind_of([&] {
            opened.store->add_key({"ann", "SHA256:def", "ssh-ed25519", "ssh-ed25519 BBBB", {}, 6});
        }) == ErrorKind::already_exists);
    CHECK(opened.store->find_key_by_fingerprint("SHA256:abc")->name == "ann");
    CHECK(opened.store->list_keys().size() == 1);
    opened.store->remove_key("ann");
    CHECK(kind_of([&] { opened.store->remove_key("ann"); }) == ErrorKind::not_found);
}

TEST_CASE("a key opens the apps it was given and no other") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    opened.store->add_app({"blog", 1});
    opened.store->add_key({"all", "SHA256:all", "t", "x", {}, 1});
    opened.store->add_key({"one", "SHA256:one", "t", "x", {"shop"}, 1});
    CHECK(opened.store->may_push("SHA256:all", "blog"));
    CHECK(opened.store->may_push("SHA256:one", "shop"));
    CHECK_FALSE(opened.store->may_push("SHA256:one", "blog"));
    CHECK_FALSE(opened.store->may_push("SHA256:all", "nothing"));
    CHECK_FALSE(opened.store->may_push("SHA256:none", "shop"));
    CHECK(kind_of([&] {
              opened.store->add_key({"bad", "SHA256:bad", "t", "x", {"gone"}, 1});
          }) == ErrorKind::not_found);
    CHECK_FALSE(opened.store->find_key_by_fingerprint("SHA256:bad")); // nothing half-added
}

TEST_CASE("removing an app does not widen a key that was for that app alone") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    opened.store->add_app({"blog", 1});
    opened.store->add_key({"one", "SHA256:one", "t", "x", {"shop"}, 1});
    opened.store->add_key({"two", "SHA256:two", "t", "x", {"shop", "blog"}, 1});
    opened.store->remove_app("shop");
    opened.store->add_app({"shop", 2});
    CHECK_FALSE(opened.store->may_push("SHA256:one", "shop"));
    CHECK_FALSE(opened.store->may_push("SHA256:one", "blog"));
    CHECK_FALSE(opened.store->may_push("SHA256:two", "shop"));
    CHECK(opened.store->may_push("SHA256:two", "blog"));
}

TEST_CASE("a build keeps every word of its outcome") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    Build build = queued("shop");
    opened.store->add_build(build);
    build.state = BuildState::published;
    build.started = build.created + 10;
    build.finished = build.created + 5'000'000'000;
    build.phases = {{"fetch", 12}, {"detect", 340}, {"build", 4'000'000'000}};
    build.digest = "sha256:" + std::string(64, 'b');
    build.reference = "127.0.0.1:5000/shop@" + build.digest;
    build.size = 9'000'000'000;
    build.processes = {{"web", "node server.js", true}, {"worker", "node worker.js", false}};
    opened.store->update_build(build);
    opened.reopen();

    const auto found = opened.store->find_build(build.id);
    REQUIRE(found);
    CHECK(found->state == BuildState::published);
    CHECK(found->finished == build.finished);
    CHECK(found->phases == build.phases);
    CHECK(found->size == 9'000'000'000);
    CHECK(found->reference == build.reference);
    REQUIRE(found->processes.size() == 2);
    CHECK(found->processes[0].command == "node server.js");
    CHECK(found->processes[0].is_default);
    CHECK_FALSE(found->processes[1].is_default);
}

TEST_CASE("builds are listed newest first, of one app or of all, up to a limit") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    opened.store->add_app({"blog", 1});
    for (const char* id : {"b3", "b1", "b2"}) {
        Build build = queued(std::string(id) == "b2" ? "blog" : "shop");
        build.id = id;
        opened.store->add_build(build);
    }
    const auto all = opened.store->list_builds({});
    REQUIRE(all.size() == 3);
    CHECK(all[0].id == "b3");
    CHECK(all[2].id == "b1");
    CHECK(opened.store->list_builds({.app = "blog"}).size() == 1);
    CHECK(opened.store->list_builds({.limit = 2}).size() == 2);
}

TEST_CASE("the last published build is the one that finished last, whatever failed since") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    CHECK_FALSE(opened.store->last_published("shop"));
    opened.store->add_build(published("shop", "sha256:old", 100));
    opened.store->add_build(published("shop", "sha256:new", 200));
    Build failed = queued("shop");
    failed.state = BuildState::refused;
    failed.finished = 300;
    opened.store->add_build(failed);
    CHECK(opened.store->last_published("shop")->digest == "sha256:new");
}

TEST_CASE("what a dead server left open is closed, what had ended is left alone") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    Build waiting = queued("shop"), running = queued("shop");
    running.state = BuildState::running;
    const Build done = published("shop", "sha256:x", 100);
    for (const auto& build : {waiting, running, done}) opened.store->add_build(build);
    opened.reopen();
    CHECK(opened.store->close_abandoned_builds("the server stopped").size() == 2);
    for (const auto& id : {waiting.id, running.id}) {
        CHECK(opened.store->find_build(id)->state == BuildState::broken);
        CHECK(opened.store->find_build(id)->reason == "the server stopped");
        CHECK(opened.store->find_build(id)->finished > 0);
    }
    CHECK(opened.store->find_build(done.id)->state == BuildState::published);
    CHECK(opened.store->close_abandoned_builds("again").empty());
}

TEST_CASE("one stack at a time is the current one") {
    Opened opened;
    CHECK_FALSE(opened.store->current_stack());
    opened.store->use_stack({"debian-12", "r/b@1", "r/r@1", true});
    opened.store->use_stack({"other", "r/b@2", "r/r@2", true});
    REQUIRE(opened.store->current_stack());
    CHECK(opened.store->current_stack()->name == "other");
    opened.store->use_stack({"debian-12", "r/b@3", "r/r@3", true});
    CHECK(opened.store->current_stack()->build == "r/b@3");
    CHECK(opened.store->list_stacks().size() == 2);
    CHECK_FALSE(opened.store->find_stack("none"));
}

TEST_CASE("a setting is what it was set to last") {
    Opened opened;
    CHECK_FALSE(opened.store->find_setting("a"));
    opened.store->set_setting("a", "1");
    opened.store->set_setting("a", "2");
    CHECK(opened.store->find_setting("a") == std::string("2"));
}

TEST_CASE("an app's setting is its own, is removed by an empty value and goes with the app") {
    Opened opened;
    auto& store = *opened.store;
    store.add_app({"shop", 1});
    store.add_app({"blog", 1});
    store.set_app_setting("shop", "stack", "one");
    store.set_app_setting("shop", "stack", "two");
    CHECK(store.find_app_setting("shop", "stack") == std::string("two"));
    CHECK_FALSE(store.find_app_setting("blog", "stack"));
    CHECK_THROWS_AS(store.set_app_setting("nobody", "stack", "one"), base::Error);
    store.set_app_setting("shop", "stack", "");
    CHECK_FALSE(store.find_app_setting("shop", "stack"));
    store.set_app_setting("shop", "stack", "two");
    store.remove_app("shop");
    store.add_app({"shop", 2});
    CHECK_FALSE(store.find_app_setting("shop", "stack"));
}

TEST_CASE("a stack that is added beside the current one does not become it") {
    Opened opened;
    opened.store->use_stack({"first", "b1", "r1", true});
    opened.store->use_stack({"other", "b2", "r2", false});
    CHECK(opened.store->current_stack()->name == "first");
    opened.store->use_stack({"first", "b3", "r3", false}); // a new version of the current one
    CHECK(opened.store->current_stack()->build == "b3");
    opened.store->use_stack({"other", "b2", "r2", true});
    CHECK(opened.store->current_stack()->name == "other");
}

TEST_CASE("a database of a newer program is refused and left as it is") {
    Opened opened;
    opened.store.reset();
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(opened.file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "INSERT INTO schema_version VALUES (99)", nullptr, nullptr, nullptr) ==
            SQLITE_OK);
    sqlite3_close(db);
    CHECK(kind_of([&] { opened.store = apps::open_sqlite_store(opened.file); }) ==
          ErrorKind::invalid_input);
}

TEST_CASE("a locked database is unavailable, and serves again when the lock is gone", "[slow]") {
    Opened opened;
    {
        WriteLock lock(opened.file);
        CHECK(kind_of([&] { opened.store->add_app({"shop", 1}); }) == ErrorKind::unavailable);
    }
    opened.store->add_app({"shop", 1});
    CHECK(opened.store->find_app("shop"));
}

TEST_CASE("build ids are unlike and sort by time") {
    std::vector<std::string> ids;
    for (int i = 0; i < 200; ++i) ids.push_back(apps::new_build_id());
    for (const auto& id : ids) {
        CHECK(id.size() == 13);
        CHECK(id[0] == 'b');
    }
    const auto start = apps::now_milliseconds();
    while (apps::now_milliseconds() == start) {
    }
    const auto later = apps::new_build_id();
    CHECK(std::all_of(ids.begin(), ids.end(), [&](const auto& id) { return id < later; }));
}
