// SQLite lets one writer in at a time, and its fsync costs a hundred times what our statements do:
// writers that wait for one another share it. Readers have connections of their own (WAL) and wait
// for nobody.
#include "apps/database.h"

#include "database_fault.h"
#include "schema.h"
#include "sessions.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <deque>
#include <exception>
#include <fcntl.h>

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

[[noreturn]] void rethrow(const soci::sqlite3_soci_error& error) {
    const std::string why = error.get_error_message();
    if (why.find("FOREIGN KEY") != std::string::npos)
        throw Error(ErrorKind::not_found, "what it belongs to is not there");
    switch (error.result() & 0xff) {
    case SQLITE_CONSTRAINT:
        throw Error(ErrorKind::already_exists, "it is there already: " + why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        throw DatabaseFault(ErrorKind::unavailable, "the database is locked by another program",
                            "Try again in a moment.");
    case SQLITE_FULL:
        throw DatabaseFault(ErrorKind::limit_exceeded, "no space is left for the database",
                            "Free some space on the disk of the state directory and try again.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        throw DatabaseFault(ErrorKind::internal, "the database is damaged: " + why,
                            "Restore the state directory's slipway.db from a backup.");
    default:
        throw DatabaseFault(ErrorKind::unavailable, "the database failed: " + why);
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
        throw DatabaseFault(ErrorKind::internal,
                            std::string("the database failed: ") + error.what());
    }
}

std::unique_ptr<soci::session> connect(const std::filesystem::path& file) {
    return with_errors([&] {
        auto session = std::make_unique<soci::session>(soci::sqlite3, "dbname=\"" + file.string() +
                                                                          "\" timeout=5");
        *session << "PRAGMA busy_timeout = 5000";
        return session;
    });
}

class SqliteDatabase : public Database {
  public:
    explicit SqliteDatabase(const std::filesystem::path& file)
        : writer_(connect(file)), readers_(2, [file] {
              auto session = connect(file);
              *session << "PRAGMA query_only = ON";
              return session;
          }) {
        with_errors([&] {
            *writer_ << "PRAGMA journal_mode = WAL";
            *writer_ << "PRAGMA synchronous = FULL";
            *writer_ << "PRAGMA foreign_keys = ON";
            migrate(*writer_, *this);
        });
    }

    void take_turns(soci::session&) override {} // writers do, always

    std::string now() const override {
        return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";
    }
    std::string kind() const override { return "sqlite"; }
    void check() override {
        read([](soci::session& sql) { sql << "SELECT 1 FROM schema_version LIMIT 1"; });
    }

  private:
    struct Write {
        const Work& work;
        std::exception_ptr error;
        bool done = false; // the line's lock
    };
    struct Line {
        std::deque<Write*> waiting;
        bool led = false;
    };

    // In a transaction, so that nothing changes between its statements.
    void run_read(const Work& work) override {
        with_errors([&] {
            Sessions::Borrowed session(readers_);
            soci::transaction snapshot(*session);
            work(*session);
        });
    }

    // Whoever finds nobody writing writes for all who wait.
    void run_write(const Work& work) override {
        Write mine{work};
        std::deque<Write*> batch;
        {
            auto line = line_.lock();
            line->waiting.push_back(&mine);
            line.wait([&](const Line& now) { return mine.done || !now.led; });
            if (!mine.done) {
                line->led = true;
                batch.swap(line->waiting);
            }
        }
        if (!batch.empty()) {
            run(batch);
            {
                auto line = line_.lock();
                for (auto* write : batch) write->done = true;
                line->led = false;
            }
            line_.notify_all();
        }
        if (mine.error) std::rethrow_exception(mine.error);
    }

    void run(const std::deque<Write*>& batch) noexcept {
        try {
            with_errors([&] {
                // IMMEDIATE: SQLite waits for another program's writer only when a transaction
                // starts as a writer; one that read first and then writes fails at once.
                *writer_ << "BEGIN IMMEDIATE";
                for (auto* write : batch) run_one(*write);
                *writer_ << "COMMIT";
            });
        } catch (...) {
            roll_back();
            for (auto* write : batch)
                if (!write->error) write->error = std::current_exception();
        }
    }

    // What it throws is its own; what leaves here has undone the whole transaction.
    void run_one(Write& write) {
        *writer_ << "SAVEPOINT one";
        try {
            with_errors([&] { write.work(*writer_); });
        } catch (...) {
            write.error = std::current_exception();
        }
        if (!write.error) {
            *writer_ << "RELEASE one";
            return;
        }
        try {
            *writer_ << "ROLLBACK TO one";
            *writer_ << "RELEASE one";
        } catch (const soci::soci_error&) {
            // SQLite has rolled back by itself (disk full, say).
            std::rethrow_exception(write.error);
        }
    }

    void roll_back() noexcept {
        try {
            *writer_ << "ROLLBACK";
        } catch (const soci::soci_error&) {
            // It has done so by itself: there is nothing left to undo.
        }
    }

    base::Guarded<Line> line_;
    std::unique_ptr<soci::session> writer_; // whoever leads the line
    Sessions readers_;
};

} // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file) {
    // Made here for its mode: SQLite gives the -wal and -shm files the mode of the database.
    base::open_file(file, O_RDWR | O_CREAT, 0600);
    return std::make_unique<SqliteDatabase>(file);
}

} // namespace apps
