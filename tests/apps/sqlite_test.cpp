// What SQLite alone has: a file, its mode, its lock, its older schemas.
#include "apps/store.h"

#include "errors.h"

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

// What the program of the second schema wrote.
constexpr const char* old_database = R"(
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE apps (name TEXT PRIMARY KEY, created BIGINT NOT NULL);
CREATE TABLE keys (name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
 text TEXT NOT NULL, every_app INTEGER NOT NULL, added BIGINT NOT NULL);
CREATE TABLE key_apps (key TEXT NOT NULL REFERENCES keys(name) ON DELETE CASCADE,
 app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, PRIMARY KEY (key, app));
CREATE TABLE builds (id TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
 state TEXT NOT NULL, source_kind TEXT NOT NULL, commit_id TEXT NOT NULL, ref TEXT NOT NULL,
 pushed_by TEXT NOT NULL, created BIGINT NOT NULL, started BIGINT NOT NULL,
 finished BIGINT NOT NULL, phases TEXT NOT NULL, digest TEXT NOT NULL, reference TEXT NOT NULL,
 size BIGINT NOT NULL, processes TEXT NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL,
 failed_phase TEXT NOT NULL);
CREATE INDEX builds_by_app ON builds (app, id);
CREATE INDEX builds_by_state ON builds (state);
CREATE TABLE stacks (name TEXT PRIMARY KEY, build TEXT NOT NULL, run TEXT NOT NULL,
 current INTEGER NOT NULL);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE app_settings (app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,
 name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (app, name));
INSERT INTO schema_version VALUES (2);
INSERT INTO apps VALUES ('shop', 1);
INSERT INTO keys VALUES ('ann', 'SHA256:abc', 'ssh-ed25519', 'ssh-ed25519 AAAA', 0, 5);
INSERT INTO key_apps VALUES ('ann', 'shop');
INSERT INTO app_settings VALUES ('shop', 'stack', 'debian-12');
INSERT INTO settings VALUES ('a', '1');
INSERT INTO builds VALUES ('b1', 'shop', 'published', 'git', 'c', 'refs/heads/main', 'ann', 1, 2, 3,
 '[["fetch",12]]', 'sha256:abc', 'r', 9, '[]', '', '', '');
INSERT INTO builds VALUES ('b2', 'shop', 'running', 'git', 'c', 'refs/heads/main', 'ann', 1, 2, 0,
 '[]', '', '', 0, '[]', '', '', '');
INSERT INTO builds VALUES ('b3', 'shop', 'queued', 'git', 'c', 'refs/heads/main', 'ann', 1, 0, 0,
 '[]', '', '', 0, '[]', '', '', '');
INSERT INTO builds VALUES ('b4', 'shop', 'refused', 'git', 'c', 'refs/heads/main', 'ann', 1, 2, 3,
 '[]', '', '', 0, '[]', 'no', 'do', 'build');
)";

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

TEST_CASE("the database and its journal are for its owner alone") {
    Opened opened;
    opened.store->add_app({"shop", 1});
    for (const char* suffix : {"", "-wal"}) {
        struct stat info {};
        REQUIRE(::stat((opened.file.string() + suffix).c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
    }
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
        CHECK(opened.store->database().faults() == 1);
    }
    opened.store->add_app({"shop", 1});
    CHECK(opened.store->find_app("shop"));
    CHECK(opened.store->database().faults() == 1);
}

TEST_CASE("a database of the first two schemas keeps what it holds") {
    const base::TempDir directory("store");
    const auto file = directory.path() / "slipway.db";
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, old_database, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    for (int start = 0; start < 2; ++start) {
        const auto store = apps::open_sqlite_store(file);
        REQUIRE(store->find_app("shop"));
        CHECK(store->find_app("shop")->owner.empty());
        CHECK(store->may_push("SHA256:abc", "shop"));
        CHECK(store->find_app_setting("shop", "stack") == std::string("debian-12"));
        CHECK(store->find_setting("a") == std::string("1"));
        const auto done = store->builds().find("b1");
        REQUIRE(done);
        CHECK(done->state == apps::BuildState::published);
        CHECK(done->digest == "sha256:abc");
        CHECK(done->phases.at(0).second == 12);
        CHECK(done->door == "git");
        CHECK(done->attempt == 0);
        CHECK(store->builds().last_published("shop")->id == "b1");
        for (const char* id : {"b2", "b3"}) {
            CHECK(store->builds().find(id)->state == apps::BuildState::lost);
            CHECK(store->builds().find(id)->finished > 0);
        }
        CHECK(store->builds().find("b4")->state == apps::BuildState::refused);
        if (start > 0) continue;
        apps::Build next = *done;
        next.id = "b5";
        next.state = apps::BuildState::queued;
        store->builds().add(next);
        CHECK(store->builds().claim("w", std::chrono::minutes(1))->build.id == "b5");
    }
}
