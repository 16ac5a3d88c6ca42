// One SQLite connection behind a lock: SQLite lets one writer in at a time anyway, our statements
// take well under a millisecond but for the fsync, and a SOCI session is not for two threads.
#include "apps/store.h"

#include "checks.h"
#include "row.h"
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
using soci::into;
using soci::use;

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

class SqliteStore : public Store {
  public:
    explicit SqliteStore(const std::filesystem::path& file) {
        auto session = session_.lock();
        with_errors([&] {
            session->open(soci::sqlite3, "dbname=\"" + file.string() + "\" timeout=5");
            *session << "PRAGMA busy_timeout = 5000";
            *session << "PRAGMA journal_mode = WAL";
            *session << "PRAGMA synchronous = FULL";
            *session << "PRAGMA foreign_keys = ON";
            migrate(*session);
        });
    }

    void add_app(const App& app) override {
        write([&](soci::session& sql) {
            if (exists(sql, "apps", app.name))
                throw Error(ErrorKind::already_exists,
                            "there is an app \"" + app.name + "\" already");
            sql << "INSERT INTO apps (name, created) VALUES (:name, :created)", use(app.name),
                use(as_number(app.created));
        });
    }

    std::optional<App> find_app(std::string_view name) override {
        return read([&](soci::session& sql) -> std::optional<App> {
            const std::string key(name);
            long long created = 0;
            sql << "SELECT created FROM apps WHERE name = :name", into(created), use(key);
            if (!sql.got_data()) return std::nullopt;
            return App{key, created};
        });
    }

    std::vector<App> list_apps() override {
        return read([&](soci::session& sql) {
            std::vector<App> found;
            const soci::rowset<soci::row> rows =
                (sql.prepare << "SELECT name, created FROM apps ORDER BY name");
            for (const auto& row : rows) found.push_back({row.get<std::string>(0), number(row, 1)});
            return found;
        });
    }

    void remove_app(std::string_view name) override {
        write([&](soci::session& sql) {
            const std::string app(name);
            require_app(sql, app);
            sql << "DELETE FROM apps WHERE name = :name", use(app);
            sql << "DELETE FROM keys WHERE every_app = 0 AND NOT EXISTS"
                   " (SELECT 1 FROM key_apps WHERE key_apps.key = keys.name)";
        });
    }

    void add_key(const Key& key) override {
        write([&](soci::session& sql) {
            refuse_known_key(sql, key);
            const int every_app = key.apps.empty() ? 1 : 0;
            sql << "INSERT INTO keys (name, fingerprint, type, text, every_app, added) VALUES"
                   " (:name, :fingerprint, :type, :text, :every_app, :added)",
                use(key.name), use(key.fingerprint), use(key.type), use(key.text), use(every_app),
                use(as_number(key.added));
            for (const auto& app : key.apps) {
                require_app(sql, app);
                sql << "INSERT OR IGNORE INTO key_apps (key, app) VALUES (:key, :app)",
                    use(key.name), use(app);
            }
        });
    }

    std::optional<Key> find_key_by_fingerprint(std::string_view fingerprint) override {
        return read([&](soci::session& sql) -> std::optional<Key> {
            const std::string wanted(fingerprint);
            const soci::rowset<soci::row> rows =
                (sql.prepare << select_keys + " WHERE fingerprint = :fingerprint", use(wanted));
            for (const auto& row : rows) return read_key(sql, row);
            return std::nullopt;
        });
    }

    std::vector<Key> list_keys() override {
        return read([&](soci::session& sql) {
            std::vector<Key> keys;
            const soci::rowset<soci::row> rows = (sql.prepare << select_keys + " ORDER BY name");
            for (const auto& row : rows) keys.push_back(read_key(sql, row));
            return keys;
        });
    }

    void remove_key(std::string_view name) override {
        write([&](soci::session& sql) {
            const std::string key(name);
            if (!exists(sql, "keys", key))
                throw Error(ErrorKind::not_found, "there is no key \"" + key + "\"");
            sql << "DELETE FROM keys WHERE name = :name", use(key);
        });
    }

    bool may_push(std::string_view fingerprint, std::string_view app) override {
        return read([&](soci::session& sql) {
            const std::string key(fingerprint), wanted(app);
            int allowed = 0;
            sql << "SELECT COUNT(*) FROM keys, apps WHERE keys.fingerprint = :fingerprint AND"
                   " apps.name = :app AND (every_app = 1 OR EXISTS (SELECT 1 FROM key_apps WHERE"
                   " key_apps.key = keys.name AND key_apps.app = apps.name))",
                into(allowed), use(key), use(wanted);
            return allowed > 0;
        });
    }

    void add_build(const Build& build) override {
        write([&](soci::session& sql) {
            BuildRow row(build);
            require_app(sql, build.app);
            sql << "INSERT INTO builds (id, app, state, source_kind, commit_id, ref, pushed_by,"
                   " created, started, finished, phases, digest, reference, size, processes,"
                   " reason, hint, failed_phase) VALUES (:id, :app, :state, :source, :commit,"
                   " :ref, :by, :created, :started, :finished, :phases, :digest, :reference,"
                   " :size, :processes, :reason, :hint, :failed)",
                use(build.id), use(build.app), use(row.state), use(build.source_kind),
                use(build.commit), use(build.ref), use(build.pushed_by), use(row.created),
                use(row.started), use(row.finished), use(row.phases), use(build.digest),
                use(build.reference), use(row.size), use(row.processes), use(build.reason),
                use(build.hint), use(build.failed_phase);
        });
    }

    void update_build(const Build& build) override {
        write([&](soci::session& sql) {
            BuildRow row(build);
            soci::statement update =
                (sql.prepare
                     << "UPDATE builds SET state = :state, source_kind = :source,"
                        " commit_id = :commit, ref = :ref, pushed_by = :by, started = :started,"
                        " finished = :finished, phases = :phases, digest = :digest,"
                        " reference = :reference, size = :size, processes = :processes,"
                        " reason = :reason, hint = :hint, failed_phase = :failed WHERE id = :id",
                 use(row.state), use(build.source_kind), use(build.commit), use(build.ref),
                 use(build.pushed_by), use(row.started), use(row.finished), use(row.phases),
                 use(build.digest), use(build.reference), use(row.size), use(row.processes),
                 use(build.reason), use(build.hint), use(build.failed_phase), use(build.id));
            update.execute(true);
            if (update.get_affected_rows() == 0)
                throw Error(ErrorKind::not_found, "there is no build \"" + build.id + "\"");
        });
    }

    std::optional<Build> find_build(std::string_view id) override {
        return read([&](soci::session& sql) -> std::optional<Build> {
            const std::string wanted(id);
            const soci::rowset<soci::row> rows =
                (sql.prepare << select_builds + " WHERE id = :id", use(wanted));
            for (const auto& row : rows) return read_build(row);
            return std::nullopt;
        });
    }

    std::vector<Build> list_builds(const BuildFilter& filter) override {
        return read([&](soci::session& sql) {
            std::vector<Build> builds;
            const soci::rowset<soci::row> rows =
                (sql.prepare << select_builds + " WHERE :app = '' OR app = :app2"
                                                " ORDER BY id DESC LIMIT :limit",
                 use(filter.app), use(filter.app), use(filter.limit));
            for (const auto& row : rows) builds.push_back(read_build(row));
            return builds;
        });
    }

    std::optional<Build> last_published(std::string_view app) override {
        return read([&](soci::session& sql) -> std::optional<Build> {
            const std::string wanted(app);
            const soci::rowset<soci::row> rows =
                (sql.prepare << select_builds + " WHERE app = :app AND state = 'published'"
                                                " ORDER BY finished DESC, id DESC LIMIT 1",
                 use(wanted));
            for (const auto& row : rows) return read_build(row);
            return std::nullopt;
        });
    }

    std::vector<std::string> close_abandoned_builds(std::string_view reason) override {
        std::vector<std::string> ids;
        write([&](soci::session& sql) {
            const soci::rowset<std::string> rows =
                (sql.prepare << "SELECT id FROM builds WHERE state IN ('queued', 'running')"
                                " ORDER BY id");
            for (const auto& id : rows) ids.push_back(id);
            const std::string why(reason);
            sql << "UPDATE builds SET state = 'broken', reason = :reason, finished = :now"
                   " WHERE state IN ('queued', 'running')",
                use(why), use(as_number(now_milliseconds()));
        });
        return ids;
    }

    void use_stack(const Stack& stack) override {
        write([&](soci::session& sql) {
            sql << "INSERT INTO stacks (name, build, run, current) VALUES (:name, :build, :run, 0)"
                   " ON CONFLICT (name) DO UPDATE SET build = excluded.build, run = excluded.run",
                use(stack.name), use(stack.build), use(stack.run);
            if (!stack.current) return;
            sql << "UPDATE stacks SET current = CASE WHEN name = :name THEN 1 ELSE 0 END",
                use(stack.name);
        });
    }

    std::optional<Stack> find_stack(std::string_view name) override {
        for (auto& stack : list_stacks())
            if (stack.name == name) return stack;
        return std::nullopt;
    }

    std::optional<Stack> current_stack() override {
        for (auto& stack : list_stacks())
            if (stack.current) return stack;
        return std::nullopt;
    }

    std::vector<Stack> list_stacks() override {
        return read([&](soci::session& sql) {
            std::vector<Stack> stacks;
            const soci::rowset<soci::row> rows =
                (sql.prepare << "SELECT name, build, run, current FROM stacks ORDER BY name");
            for (const auto& row : rows)
                stacks.push_back({row.get<std::string>(0), row.get<std::string>(1),
                                  row.get<std::string>(2), number(row, 3) != 0});
            return stacks;
        });
    }

    std::optional<std::string> find_setting(std::string_view name) override {
        return read([&](soci::session& sql) -> std::optional<std::string> {
            const std::string wanted(name);
            std::string value;
            sql << "SELECT value FROM settings WHERE name = :name", into(value), use(wanted);
            if (!sql.got_data()) return std::nullopt;
            return value;
        });
    }

    void set_setting(std::string_view name, std::string_view value) override {
        write([&](soci::session& sql) {
            const std::string key(name), text(value);
            sql << "INSERT INTO settings (name, value) VALUES (:name, :value)"
                   " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                use(key), use(text);
        });
    }

    std::optional<std::string> find_app_setting(std::string_view app,
                                                std::string_view name) override {
        return read([&](soci::session& sql) -> std::optional<std::string> {
            const std::string owner(app), wanted(name);
            std::string value;
            sql << "SELECT value FROM app_settings WHERE app = :app AND name = :name", into(value),
                use(owner), use(wanted);
            if (!sql.got_data()) return std::nullopt;
            return value;
        });
    }

    void set_app_setting(std::string_view app, std::string_view name,
                         std::string_view value) override {
        write([&](soci::session& sql) {
            const std::string owner(app), key(name), text(value);
            require_app(sql, owner);
            sql << "DELETE FROM app_settings WHERE app = :app AND name = :name", use(owner),
                use(key);
            if (!text.empty())
                sql << "INSERT INTO app_settings (app, name, value) VALUES (:app, :name, :value)",
                    use(owner), use(key), use(text);
        });
    }

  private:
    // A question: one connection, so that nothing changes between its statements.
    template <class F>
    auto read(F&& f) -> decltype(f(std::declval<soci::session&>())) {
        auto session = session_.lock();
        return with_errors([&] { return f(*session); });
    }

    template <class F>
    void write(F&& f) {
        auto session = session_.lock();
        with_errors([&] {
            WriteTransaction transaction(*session);
            f(*session);
            transaction.commit();
        });
    }

    base::Guarded<soci::session> session_;
};

} // namespace

std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file) {
    // Made here for its mode: SQLite gives the -wal and -shm files the mode of the database.
    base::open_file(file, O_RDWR | O_CREAT, 0600);
    return std::make_unique<SqliteStore>(file);
}

} // namespace apps
