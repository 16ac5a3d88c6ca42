#include "schema.h"

#include "base/error.h"

#include <soci/soci.h>

#include <array>
#include <string>

namespace apps {
namespace {

// Steps are never edited once released: a new version is a new entry. Text is never NULL: empty
// says "none", and SOCI needs no indicators. Times and sizes are BIGINT: SOCI reads what is
// declared INTEGER into 32 bits.
constexpr std::array<std::array<const char*, 8>, 2> steps{{
    {{
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
    }},
    {{
        "CREATE TABLE app_settings (app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,"
        " name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (app, name))",
    }},
}};

int read_version(soci::session& session) {
    session << "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)";
    int version = 0;
    session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
    return version;
}

} // namespace

void migrate(soci::session& session) {
    const int newest = static_cast<int>(steps.size());
    int version = read_version(session);
    if (version > newest)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the database was written by a newer Slipway (schema " +
                              std::to_string(version) + ", this program knows " +
                              std::to_string(newest) + ")",
                          "Start the newer program, or restore a backup of the state directory.");
    for (; version < newest; ++version) {
        soci::transaction transaction(session);
        for (const char* statement : steps[static_cast<std::size_t>(version)])
            if (statement) session << statement;
        const int next = version + 1;
        session << "INSERT INTO schema_version (version) VALUES (:version)", soci::use(next);
        transaction.commit();
    }
}

} // namespace apps
