// One SQLite connection behind a lock: SQLite lets one writer in at a time anyway, our statements
// take well under a millisecond but for the fsync, and a SOCI session is not for two threads.
#include "apps/database.h"

#include "schema.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <fcntl.h>

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

[[noreturn]] void rethrow(const soci::sqlite3_soci_error& error) {
    const std::string why = error.get_error_message();
    switch (error.result() & 0xff) {
    case SQLITE_CONSTRAINT:
        throw Error(ErrorKind::already_exists, "it is there already: " + why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        throw Error(ErrorKind::unavailable, "the database is locked by another program",
                    "Try again in a moment.");
    case SQLITE_FULL:
        throw Error(ErrorKind::limit_exceeded, "no space is left for the database",
                    "Free some space on the disk of the state directory and try again.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        throw Error(ErrorKind::internal, "the database is damaged: " + why,
                    "Restore the state directory's slipway.db from a backup.");
    default:
        throw Error(ErrorKind::unavailable, "the database failed: " + why);
    }
}

// SOCI 4.0 wraps the error of a statement's execution; what SQLite said is in the code alone.
template <class F>
auto with_errors(F&& f) -> decltype(f()) {
    try {
        return f();
    } catch (const soci::sqlite3_soci_error& error) {
        rethrow(error);
    } catch (const soci::soci_error& error) {
        throw Error(ErrorKind::internal, std::string("the database failed: ") + error.what());
    }
}

// IMMEDIATE: SQLite waits for another writer only when a transaction starts as a writer; one that
// read first and then writes fails at once.
class WriteTransaction {
  public:
    explicit WriteTransaction(soci::session& session) : session_(session) {
        session_ << "BEGIN IMMEDIATE";
    }
    ~WriteTransaction() {
        if (done_) return;
        try {
            session_ << "ROLLBACK";
        } catch (const soci::soci_error&) {
            // SQLite has rolled back by itself (disk full, say): there is nothing left to undo.
        }
    }
    WriteTransaction(const WriteTransaction&) = delete;
    WriteTransaction& operator=(const WriteTransaction&) = delete;

    void commit() {
        session_ << "COMMIT";
        done_ = true;
    }

  private:
    soci::session& session_;
    bool done_ = false;
};

class SqliteDatabase : public Database {
  public:
    explicit SqliteDatabase(const std::filesystem::path& file) {
        auto session = session_.lock();
        with_errors([&] {
            session->open(soci::sqlite3, "dbname=\"" + file.string() + "\" timeout=5");
            *session << "PRAGMA busy_timeout = 5000";
            *session << "PRAGMA journal_mode = WAL";
            *session << "PRAGMA synchronous = FULL";
            *session << "PRAGMA foreign_keys = ON";
            migrate(*session, *this);
        });
    }

    void read(const Work& work) override {
        auto session = session_.lock();
        with_errors([&] { work(*session); });
    }

    void write(const Work& work) override {
        auto session = session_.lock();
        with_errors([&] {
            WriteTransaction transaction(*session);
            work(*session);
            transaction.commit();
        });
    }

    void take_turns(soci::session&) override {} // writers do, always

    std::string now() const override {
        return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";
    }
    std::string kind() const override { return "sqlite"; }
    void check() override {
        read([](soci::session& sql) { sql << "SELECT version FROM schema_version LIMIT 1"; });
    }

  private:
    base::Guarded<soci::session> session_;
};

} // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file) {
    // Made here for its mode: SQLite gives the -wal and -shm files the mode of the database.
    base::open_file(file, O_RDWR | O_CREAT, 0600);
    return std::make_unique<SqliteDatabase>(file);
}

} // namespace apps
