// What SQLite alone has: a file, its mode, its lock, its older schemas.
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
    }
    opened.store->add_app({"shop", 1});
    CHECK(opened.store->find_app("shop"));
}
