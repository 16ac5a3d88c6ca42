#include "schema.h"

#include "base/error.h"

#include <soci/soci.h>

#include <string>
#include <string_view>
#include <vector>

namespace apps {
namespace {

// Steps are never edited once released: a new version is a new entry. Text is never NULL: empty
// says "none", and SOCI needs no indicators. Times and sizes are BIGINT: SOCI reads what is
// declared INTEGER into 32 bits. Some words are the database's own: see `translate`.
const std::vector<std::vector<const char*>> steps{
    {
        "CREATE TABLE apps (name TEXT PRIMARY KEY, created BIGINT NOT NULL)",
        "CREATE TABLE keys (name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE,"
        " type TEXT NOT NULL, text TEXT NOT NULL, every_app INTEGER NOT NULL,"
        " added BIGINT NOT NULL)",
        "CREATE TABLE key_apps (key TEXT NOT NULL REFERENCES keys(name) ON DELETE CASCADE,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, PRIMARY KEY (key, app))",
        "CREATE TABLE builds (id TEXT PRIMARY KEY,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,"
        " state TEXT NOT NULL, source_kind TEXT NOT NULL, commit_id TEXT NOT NULL,"
        " ref TEXT NOT NULL, pushed_by TEXT NOT NULL, created BIGINT NOT NULL,"
        " started BIGINT NOT NULL, finished BIGINT NOT NULL, phases TEXT NOT NULL,"
        " digest TEXT NOT NULL, reference TEXT NOT NULL, size BIGINT NOT NULL,"
        " processes TEXT NOT NULL, reason TEXT NOT NULL, hint TEXT NOT NULL,"
        " failed_phase TEXT NOT NULL)",
        "CREATE INDEX builds_by_app ON builds (app, id)",
        "CREATE INDEX builds_by_state ON builds (state)",
        "CREATE TABLE stacks (name TEXT PRIMARY KEY, build TEXT NOT NULL, run TEXT NOT NULL,"
        " current INTEGER NOT NULL)",
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    },
    {
        "CREATE TABLE app_settings (app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,"
        " name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (app, name))",
    },
    {
        "ALTER TABLE apps ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN door TEXT NOT NULL DEFAULT 'git'",
        "ALTER TABLE builds ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN priority INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN source TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN durable INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN options TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN sealed TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN hook TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN previous TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN worker TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN share TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN once_key TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN fence BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN lease BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN cancel_asked INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN cancel_reason TEXT NOT NULL DEFAULT ''",
        "UPDATE builds SET share = 'app/' || app",
        // Whoever wrote them is no more, and their sources with it.
        "UPDATE builds SET state = 'lost', reason = 'the server stopped before this build ended',"
        " finished = CLOCK WHERE state IN ('queued', 'running')",
        "DROP INDEX builds_by_state",
        "CREATE INDEX builds_by_state ON builds (state, id)",
        "CREATE INDEX builds_by_share ON builds (share, fence)",
        "CREATE INDEX builds_by_fence ON builds (fence)",
        "CREATE INDEX builds_published ON builds (app, finished, id) WHERE state = 'published'",
        "CREATE UNIQUE INDEX builds_once ON builds (app, once_key) WHERE once_key <> ''",
        // Partial indexes serve questions that say their condition in the same words.
        "CREATE INDEX builds_waiting ON builds (share) WHERE state IN ('received', 'queued')",
        "CREATE INDEX builds_held ON builds (share) WHERE state IN ('running', 'exporting')",
        // What claim() promises, once more.
        "CREATE UNIQUE INDEX builds_one_at_a_time ON builds (app)"
        " WHERE state IN ('running', 'exporting')",
        "CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " prefix TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, every_app INTEGER NOT NULL,"
        " created_by TEXT NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL,"
        " used BIGINT NOT NULL)",
        "CREATE TABLE token_apps (token TEXT NOT NULL REFERENCES tokens(id) ON DELETE CASCADE,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, deploys INTEGER NOT NULL,"
        " PRIMARY KEY (token, app, deploys))",
        "CREATE INDEX token_apps_by_app ON token_apps (app)",
        "CREATE TABLE answers (caller TEXT NOT NULL, key TEXT NOT NULL,"
        " request_hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,"
        " created BIGINT NOT NULL, PRIMARY KEY (caller, key))",
        "CREATE INDEX answers_by_age ON answers (created)",
        "CREATE TABLE variables (app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,"
        " name TEXT NOT NULL, sealed TEXT NOT NULL, used_by TEXT NOT NULL,"
        " changed BIGINT NOT NULL, PRIMARY KEY (app, name))",
        "CREATE TABLE hooks (id TEXT PRIMARY KEY,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, kind TEXT NOT NULL,"
        " repository TEXT NOT NULL, clone_url TEXT NOT NULL, api_url TEXT NOT NULL,"
        " branch TEXT NOT NULL, sealed_secret TEXT NOT NULL, sealed_token TEXT NOT NULL,"
        " sealed_ssh_key TEXT NOT NULL, ssh_public_key TEXT NOT NULL, known_hosts TEXT NOT NULL,"
        " options TEXT NOT NULL, repository_id TEXT NOT NULL, head TEXT NOT NULL,"
        " created BIGINT NOT NULL, checked BIGINT NOT NULL)",
        "CREATE INDEX hooks_by_app ON hooks (app)",
        "CREATE TABLE deliveries (number COUNTER,"
        " hook TEXT NOT NULL REFERENCES hooks(id) ON DELETE CASCADE, delivery TEXT NOT NULL,"
        " event TEXT NOT NULL, ref TEXT NOT NULL, commit_id TEXT NOT NULL, state TEXT NOT NULL,"
        " reason TEXT NOT NULL, build TEXT NOT NULL, content TEXT NOT NULL,"
        " body_sha256 TEXT NOT NULL, received BIGINT NOT NULL, replays BIGINT NOT NULL,"
        " UNIQUE (hook, delivery))",
        "CREATE INDEX deliveries_by_state ON deliveries (state, number)",
        "CREATE INDEX deliveries_by_hook ON deliveries (hook, number)",
        "CREATE INDEX deliveries_by_age ON deliveries (received)",
        "CREATE TABLE notices (number COUNTER, kind TEXT NOT NULL,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, target TEXT NOT NULL,"
        " subject TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL,"
        " reason TEXT NOT NULL, attempts INTEGER NOT NULL, created BIGINT NOT NULL,"
        " due BIGINT NOT NULL)",
        "CREATE INDEX notices_by_app ON notices (app)",
        "CREATE INDEX notices_by_age ON notices (created)",
        "CREATE INDEX notices_by_due ON notices (state, due, number)",
        "CREATE INDEX notices_by_subject ON notices (state, target, subject, number)",
        "CREATE INDEX notices_by_target ON notices (target, number)",
        "CREATE TABLE subscriptions (id TEXT PRIMARY KEY,"
        " app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE, url TEXT NOT NULL,"
        " sealed_secret TEXT NOT NULL, events TEXT NOT NULL, created BIGINT NOT NULL)",
        "CREATE INDEX subscriptions_by_app ON subscriptions (app)",
        "CREATE TABLE uploads (id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL,"
        " owner TEXT NOT NULL, digest TEXT NOT NULL, size BIGINT NOT NULL,"
        " created BIGINT NOT NULL, expires BIGINT NOT NULL)",
        "CREATE INDEX uploads_by_digest ON uploads (digest)",
        "CREATE INDEX uploads_by_age ON uploads (created)",
    },
    {
        // Open deliveries are read webhook by webhook.
        "DROP INDEX deliveries_by_state",
        "CREATE INDEX deliveries_by_state ON deliveries (state, hook, number)",
        "CREATE INDEX deliveries_ignored ON deliveries (hook, commit_id, number)"
        " WHERE state = 'ignored'",
        // Which server answers, and the build that the request has started. Who was to answer
        // before this schema is no more.
        "DELETE FROM answers WHERE status = 0",
        "ALTER TABLE answers ADD COLUMN server TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE answers ADD COLUMN build TEXT NOT NULL DEFAULT ''",
    },
    {
        "ALTER TABLE apps ADD COLUMN repository TEXT NOT NULL DEFAULT ''",
        // A repository is of one app, also where it has that app's name.
        "CREATE UNIQUE INDEX apps_by_repository ON apps"
        " ((CASE WHEN repository = '' THEN name ELSE repository END))",
    },
    {
        // Most deliveries are done: an index of those that are not is small, and one leaves it
        // instead of moving within it.
        "DROP INDEX deliveries_by_state",
        "CREATE INDEX deliveries_open ON deliveries (hook, number) WHERE state = 'accepted'",
        "CREATE INDEX deliveries_waiting ON deliveries (hook, commit_id, number)"
        " WHERE state = 'waiting'",
    },
    {
        "ALTER TABLE builds ADD COLUMN sealed_source TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX builds_of_open_urls ON builds (id)"
        " WHERE source_kind = 'url' AND source <> '' AND sealed_source = ''",
    },
    {
        "ALTER TABLE builds ADD COLUMN inputs TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE builds ADD COLUMN same_as TEXT NOT NULL DEFAULT ''",
        // An image that waits for its registry does not keep its app from building.
        "ALTER TABLE builds ADD COLUMN kept INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE builds ADD COLUMN parked BIGINT NOT NULL DEFAULT 0",
        "DROP INDEX builds_one_at_a_time",
        "CREATE UNIQUE INDEX builds_one_at_a_time ON builds (app)"
        " WHERE state IN ('running', 'exporting') AND parked = 0",
        "CREATE INDEX builds_parked ON builds (worker, parked)"
        " WHERE state = 'exporting' AND parked > 0",
    },
    {
        "CREATE TABLE leaving_repositories (server TEXT NOT NULL, repository TEXT NOT NULL,"
        " since BIGINT NOT NULL, PRIMARY KEY (server, repository))",
        "ALTER TABLE builds ADD COLUMN retry_of TEXT NOT NULL DEFAULT ''",
    },
};

// COUNTER: a key that grows with each row and is never used again. CLOCK: the database's time. And
// text sorts by its bytes, wherever the database's server lives.
std::string translate(std::string statement, const Database& database) {
    const bool postgresql = database.kind() == "postgresql";
    const auto replace = [&](std::string_view word, std::string_view by) {
        for (auto at = statement.find(word); at != std::string::npos;
             at = statement.find(word, at + by.size()))
            statement.replace(at, word.size(), by);
    };
    replace("CLOCK", database.now());
    replace(" COUNTER", postgresql ? " BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
                                   : " INTEGER PRIMARY KEY AUTOINCREMENT");
    if (postgresql) replace(" TEXT", " TEXT COLLATE \"C\"");
    return statement;
}

int read_version(Session& session) {
    session << "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)";
    int version = 0;
    session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
    return version;
}

} // namespace

void migrate(Session& session, Database& database) {
    const int newest = static_cast<int>(steps.size());
    while (true) {
        soci::transaction transaction(session);
        database.take_turns(session); // another server may start on this database now
        const int version = read_version(session);
        if (version > newest)
            throw base::Error(
                base::ErrorKind::invalid_input,
                "the database was written by a newer Slipway (schema " + std::to_string(version) +
                    ", this program knows " + std::to_string(newest) + ")",
                "Start the newer program, or restore a backup of the state directory.");
        if (version < newest) {
            for (const char* statement : steps[static_cast<std::size_t>(version)])
                session << translate(statement, database);
            const int next = version + 1;
            session << "INSERT INTO schema_version (version) VALUES (:version)", soci::use(next);
        }
        transaction.commit();
        if (version == newest) return;
    }
}

} // namespace apps
