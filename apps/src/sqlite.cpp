// SQLite lets one writer in at a time, and its fsync costs a hundred times what our statements do:
// writers that wait for one another share it, and the next are written while the disk works for the
// last ones. Readers have connections of their own (WAL) and wait for nobody.
#include "apps/database.h"

#include "database_fault.h"
#include "query.h"
#include "schema.h"
#include "sessions.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <atomic>
#include <exception>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <utility>
#include <vector>

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

std::unique_ptr<Session> connect(const std::filesystem::path& file) {
    return with_errors([&] {
        auto session =
            std::make_unique<Session>(soci::sqlite3, "dbname=\"" + file.string() + "\" timeout=5");
        *session << "PRAGMA busy_timeout = 5000";
        return session;
    });
}

// While one batch waits for the disk a second one may, too; the next is let grow meanwhile.
constexpr int most_syncs = 2;

class SqliteDatabase : public Database {
  public:
    explicit SqliteDatabase(const std::filesystem::path& file)
        : writer_(connect(file)), readers_(4, [file] {
              auto session = connect(file);
              *session << "PRAGMA query_only = ON";
              return session;
          }) {
        with_errors([&] {
            *writer_ << "PRAGMA journal_mode = WAL";
            *writer_ << "PRAGMA synchronous = FULL";
            *writer_ << "PRAGMA foreign_keys = ON";
            migrate(*writer_, *this);
            // A commit ends in the log's file without waiting for the disk: sync() does. Before a
            // page of the log goes into the database SQLite waits for both, as ever.
            *writer_ << "PRAGMA synchronous = NORMAL";
        });
        const auto log = std::filesystem::canonical(file).string() + "-wal";
        for (int i = 0; i < most_syncs; ++i)
            logs_.lock()->push_back(base::open_file(log, O_RDONLY));
    }

    void take_turns(Session&) override {} // writers do, always

    std::string now() const override {
        return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";
    }
    std::string kind() const override { return "sqlite"; }
    void check() override {
        read([](Session& sql) { sql << "SELECT 1 FROM schema_version LIMIT 1"; });
    }

  private:
    enum class Call { none, lead, done };
    struct Write {
        explicit Write(const Work& given) : work(given) {}
        const Work& work;
        std::exception_ptr error; // its leader's, until the call
        base::Guarded<Call> call{Call::none};
    };
    using Writes = std::vector<std::shared_ptr<Write>>;
    struct Line {
        Writes waiting;
        bool led = false;
    };

    // In a transaction, so that nothing changes between its statements.
    void run_read(const Work& work) override {
        with_errors([&] {
            Sessions::Borrowed session(readers_);
            say(*session, "BEGIN");
            try {
                work(*session);
                say(*session, "COMMIT");
            } catch (...) {
                roll_back(*session);
                throw;
            }
        });
    }

    // Whoever finds nobody writing writes for all who wait, calls the next who came meanwhile to do
    // so, and then waits for the disk. Each waits for a call of its own: the others sleep on.
    void run_write(const Work& work) override {
        const auto mine = std::make_shared<Write>(work);
        bool leads = false;
        {
            auto line = line_.lock();
            line->waiting.push_back(mine);
            leads = !std::exchange(line->led, true);
        }
        if (!leads) {
            auto call = mine->call.lock();
            call.wait([](Call now) { return now != Call::none; });
            leads = *call == Call::lead;
        }
        if (leads) lead();
        if (mine->error) std::rethrow_exception(mine->error);
    }

    void lead() {
        Writes batch;
        batch.swap(line_.lock()->waiting);
        run(batch);
        auto log = take_log();
        call_next();
        sync(batch, log.get());
        logs_.lock()->push_back(std::move(log));
        logs_.notify_all();
        for (const auto& write : batch) call(*write, Call::done);
    }

    base::UniqueFd take_log() {
        auto logs = logs_.lock();
        logs.wait([](const auto& idle) { return !idle.empty(); });
        auto log = std::move(logs->back());
        logs->pop_back();
        return log;
    }

    void call_next() {
        std::shared_ptr<Write> next;
        {
            auto line = line_.lock();
            if (line->waiting.empty())
                line->led = false;
            else
                next = line->waiting.front();
        }
        if (next) call(*next, Call::lead);
    }

    void sync(const Writes& batch, int log) noexcept {
        if (!failed_ && ::fdatasync(log) != 0) failed_ = true;
        if (!failed_) return;
        for (const auto& write : batch)
            if (!write->error) write->error = std::make_exception_ptr(not_kept());
    }

    // What a disk has failed to keep once is lost, whatever it says later, and what follows it in
    // the log with it: nothing is promised any more.
    static DatabaseFault not_kept() {
        return {ErrorKind::unavailable, "the disk did not keep what was written to the database",
                "Look at the disk of the state directory, then restart the server."};
    }

    static void call(Write& write, Call call) {
        *write.call.lock() = call;
        write.call.notify_all();
    }

    // First without a word between them: nearly always none throws. Else all begin again, each with
    // a place of its own to go back to.
    void run(const Writes& batch) noexcept {
        try {
            if (failed_) throw not_kept();
            if (!run_together(batch)) run_apart(batch);
        } catch (...) {
            roll_back(*writer_);
            for (const auto& write : batch)
                if (!write->error) write->error = std::current_exception();
        }
    }

    // IMMEDIATE: SQLite waits for another program's writer only when a transaction starts as a
    // writer; one that read first and then writes fails at once.
    void begin() {
        with_errors([&] { say(*writer_, "BEGIN IMMEDIATE"); });
    }
    void commit() {
        with_errors([&] { say(*writer_, "COMMIT"); });
    }

    // False: one of them threw, and nothing was done.
    bool run_together(const Writes& batch) {
        begin();
        try {
            for (const auto& write : batch) with_errors([&] { write->work(*writer_); });
        } catch (...) {
            roll_back(*writer_);
            if (batch.size() > 1) return false;
            batch.front()->error = std::current_exception();
            return true;
        }
        commit();
        return true;
    }

    void run_apart(const Writes& batch) {
        begin();
        for (const auto& write : batch) run_one(*write);
        commit();
    }

    // What it throws is its own; what leaves here has undone the whole transaction.
    void run_one(Write& write) {
        say(*writer_, "SAVEPOINT one");
        try {
            with_errors([&] { write.work(*writer_); });
        } catch (...) {
            write.error = std::current_exception();
        }
        if (!write.error) {
            say(*writer_, "RELEASE one");
            return;
        }
        try {
            say(*writer_, "ROLLBACK TO one");
            say(*writer_, "RELEASE one");
        } catch (const soci::soci_error&) {
            // SQLite has rolled back by itself (disk full, say).
            std::rethrow_exception(write.error);
        }
    }

    static void say(Session& sql, std::string_view statement) { Query(sql, statement).execute(); }

    static void roll_back(Session& sql) noexcept {
        try {
            say(sql, "ROLLBACK");
        } catch (const soci::soci_error&) {
            // It has done so by itself: there is nothing left to undo.
        }
    }

    base::Guarded<Line> line_;
    // One for each sync at a time: the kernel tells of a failed write once for each open file.
    base::Guarded<std::vector<base::UniqueFd>> logs_;
    std::atomic<bool> failed_ = false;
    std::unique_ptr<Session> writer_; // whoever leads the line
    Sessions readers_;
};

} // namespace

std::unique_ptr<Database> open_sqlite(const std::filesystem::path& file) {
    // Made here for its mode: SQLite gives the -wal and -shm files the mode of the database.
    base::open_file(file, O_RDWR | O_CREAT, 0600);
    return std::make_unique<SqliteDatabase>(file);
}

} // namespace apps
