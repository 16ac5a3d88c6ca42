#include "apps/store.h"

#include "checks.h"
#include "row.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

App read_app(const soci::row& row) {
    return {text(row, 0), number(row, 1), text(row, 2), text(row, 3)};
}

Stack read_stack(const soci::row& row) {
    return {text(row, 0), text(row, 1), text(row, 2), number(row, 3) != 0};
}

const std::string select_apps = "SELECT name, created, owner, repository FROM apps";
// As the index says it.
const std::string path_of_app = "(CASE WHEN repository = '' THEN name ELSE repository END)";

[[noreturn]] void repository_is_taken(const std::string& repository) {
    throw Error(ErrorKind::already_exists, "the repository \"" + repository + "\" is another app's",
                "Choose another one, or another name for the app.");
}

void leave(Session& sql, const Database& database, std::string_view server,
           std::string_view repository) {
    Query(sql,
          "INSERT INTO leaving_repositories (server, repository, since) VALUES (?, ?, " +
              database.now() +
              ") ON CONFLICT (server, repository) DO UPDATE SET since = excluded.since",
          server, repository)
        .execute();
}

std::string path_of(Session& sql, std::string_view app) {
    return *Query(sql, "SELECT " + path_of_app + " FROM apps WHERE name = ?", app).first_text();
}

// An app has it again; whoever gave it that app has removed what was there.
void take(Session& sql, std::string_view repository) {
    Query(sql, "DELETE FROM leaving_repositories WHERE repository = ?", repository).execute();
}

const std::string select_stacks = "SELECT name, build, run, current FROM stacks";

} // namespace

Store::Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}

std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file) {
    return std::make_unique<Store>(open_sqlite(file));
}

std::unique_ptr<Store> open_store(const std::filesystem::path& file, const std::string& connection,
                                  const std::string& password) {
    if (connection.empty()) return open_sqlite_store(file);
    return std::make_unique<Store>(open_postgresql(connection, password));
}

void Store::add_app(const App& app) {
    database_->write([&](Session& sql) {
        if (Query(sql,
                  "INSERT INTO apps (name, created, owner, repository) VALUES (?, ?, ?, ?)"
                  " ON CONFLICT DO NOTHING",
                  app.name, app.created, app.owner, app.repository)
                .changes())
            return take(sql, app.path());
        if (!exists(sql, "apps", app.name)) repository_is_taken(app.path());
        throw Error(ErrorKind::already_exists, "there is an app \"" + app.name + "\" already");
    });
}

std::optional<App> Store::find_app(std::string_view name) {
    std::optional<App> found;
    database_->read([&](Session& sql) {
        found = Query(sql, select_apps + " WHERE name = ?", name).first(read_app);
    });
    return found;
}

std::optional<App> Store::find_app_of_repository(std::string_view repository) {
    std::optional<App> found;
    database_->read([&](Session& sql) {
        found =
            Query(sql, select_apps + " WHERE " + path_of_app + " = ?", repository).first(read_app);
    });
    return found;
}

std::vector<App> Store::list_apps() {
    std::vector<App> found;
    database_->read([&](Session& sql) {
        found.clear();
        Query(sql, select_apps + " ORDER BY name").each([&](const soci::row& row) {
            found.push_back(read_app(row));
        });
    });
    return found;
}

void Store::set_app_owner(std::string_view name, std::string_view owner) {
    database_->write([&](Session& sql) {
        require_app(sql, name);
        Query(sql, "UPDATE apps SET owner = ? WHERE name = ?", owner, name).execute();
    });
}

void Store::set_app_repository(std::string_view name, std::string_view repository,
                               std::string_view registry_of) {
    database_->write([&](Session& sql) {
        require_app(sql, name);
        // No other write comes between the question and the change.
        database_->take_turns(sql);
        if (Query(sql, "SELECT 1 FROM apps WHERE name <> ? AND " + path_of_app + " = ?", name,
                  repository.empty() ? name : repository)
                .finds())
            repository_is_taken(std::string(repository.empty() ? name : repository));
        if (!registry_of.empty()) leave(sql, *database_, registry_of, path_of(sql, name));
        Query(sql, "UPDATE apps SET repository = ? WHERE name = ?", repository, name).execute();
        take(sql, repository.empty() ? name : repository);
    });
}

void Store::remove_app(std::string_view name, std::string_view registry_of) {
    database_->write([&](Session& sql) {
        require_app(sql, name);
        // A build that is being added holds the row, on PostgreSQL, and is seen by the statement
        // after this one; one that comes later finds no app.
        if (database_->kind() == "postgresql")
            Query(sql, "SELECT name FROM apps WHERE name = ? FOR UPDATE", name).finds();
        if (Query(sql,
                  "SELECT 1 FROM builds WHERE app = ? AND"
                  " state IN ('received', 'queued', 'running', 'exporting')",
                  name)
                .finds())
            throw Error(ErrorKind::already_exists,
                        "a build of " + std::string(name) + " is waiting or running",
                        "Wait for it, or stop it with: slipway builds cancel BUILD");
        if (!registry_of.empty()) leave(sql, *database_, registry_of, path_of(sql, name));
        Query(sql, "DELETE FROM apps WHERE name = ?", name).execute();
        Query(sql, "DELETE FROM keys WHERE every_app = 0 AND NOT EXISTS"
                   " (SELECT 1 FROM key_apps WHERE key_apps.key = keys.name)")
            .execute();
        Query(sql, "DELETE FROM tokens WHERE every_app = 0 AND NOT EXISTS"
                   " (SELECT 1 FROM token_apps WHERE token_apps.token = tokens.id)")
            .execute();
    });
}

std::vector<std::string> Store::list_leaving(std::string_view server,
                                             std::chrono::milliseconds age) {
    std::vector<std::string> found;
    database_->read([&](Session& sql) {
        found.clear();
        Query(sql,
              "SELECT repository FROM leaving_repositories WHERE server = ? AND since <= " +
                  database_->now() + " - ? ORDER BY repository",
              server, age.count())
            .each([&](const soci::row& row) { found.push_back(text(row, 0)); });
    });
    return found;
}

bool Store::is_leaving(std::string_view repository) {
    bool leaving = false;
    database_->read([&](Session& sql) {
        leaving = Query(sql, "SELECT 1 FROM leaving_repositories WHERE repository = ?", repository)
                      .finds();
    });
    return leaving;
}

void Store::forget_leaving(std::string_view server, std::string_view repository) {
    database_->write([&](Session& sql) {
        Query(sql, "DELETE FROM leaving_repositories WHERE server = ? AND repository = ?", server,
              repository)
            .execute();
    });
}

void Store::add_key(const Key& key) {
    database_->write([&](Session& sql) {
        refuse_known_key(sql, key);
        Query(sql,
              "INSERT INTO keys (name, fingerprint, type, text, every_app, added) VALUES"
              " (?, ?, ?, ?, ?, ?)",
              key.name, key.fingerprint, key.type, key.text, key.apps.empty(), key.added)
            .execute();
        for (const auto& app : key.apps) {
            require_app(sql, app);
            Query(sql, "INSERT INTO key_apps (key, app) VALUES (?, ?) ON CONFLICT DO NOTHING",
                  key.name, app)
                .execute();
        }
    });
}

std::optional<Key> Store::find_key_by_fingerprint(std::string_view fingerprint) {
    std::optional<Key> found;
    database_->read([&](Session& sql) {
        found = Query(sql, select_keys + " WHERE fingerprint = ?", fingerprint)
                    .first([&](const soci::row& row) { return read_key(sql, row); });
    });
    return found;
}

std::vector<Key> Store::list_keys() {
    std::vector<Key> keys;
    database_->read([&](Session& sql) {
        keys.clear();
        Query(sql, select_keys + " ORDER BY name").each([&](const soci::row& row) {
            keys.push_back(read_key(sql, row));
        });
    });
    return keys;
}

void Store::remove_key(std::string_view name) {
    database_->write([&](Session& sql) {
        if (!Query(sql, "DELETE FROM keys WHERE name = ?", name).changes())
            throw Error(ErrorKind::not_found, "there is no key \"" + std::string(name) + "\"");
    });
}

bool Store::may_push(std::string_view fingerprint, std::string_view app) {
    bool allowed = false;
    database_->read([&](Session& sql) {
        allowed = Query(sql,
                        "SELECT 1 FROM keys, apps WHERE keys.fingerprint = ? AND apps.name = ?"
                        " AND (every_app = 1 OR EXISTS (SELECT 1 FROM key_apps WHERE"
                        " key_apps.key = keys.name AND key_apps.app = apps.name))",
                        fingerprint, app)
                      .finds();
    });
    return allowed;
}

void Store::use_stack(const Stack& stack) {
    database_->write([&](Session& sql) {
        Query(sql,
              "INSERT INTO stacks (name, build, run, current) VALUES (?, ?, ?, 0)"
              " ON CONFLICT (name) DO UPDATE SET build = excluded.build, run = excluded.run",
              stack.name, stack.build, stack.run)
            .execute();
        if (!stack.current) return;
        Query(sql, "UPDATE stacks SET current = CASE WHEN name = ? THEN 1 ELSE 0 END", stack.name)
            .execute();
    });
}

std::optional<Stack> Store::find_stack(std::string_view name) {
    std::optional<Stack> found;
    database_->read([&](Session& sql) {
        found = Query(sql, select_stacks + " WHERE name = ?", name).first(read_stack);
    });
    return found;
}

std::optional<Stack> Store::current_stack() {
    std::optional<Stack> found;
    database_->read([&](Session& sql) {
        found = Query(sql, select_stacks + " WHERE current = 1").first(read_stack);
    });
    return found;
}

std::vector<Stack> Store::list_stacks() {
    std::vector<Stack> stacks;
    database_->read([&](Session& sql) {
        stacks.clear();
        Query(sql, select_stacks + " ORDER BY name").each([&](const soci::row& row) {
            stacks.push_back(read_stack(row));
        });
    });
    return stacks;
}

std::optional<std::string> Store::find_setting(std::string_view name) {
    std::optional<std::string> value;
    database_->read([&](Session& sql) {
        value = Query(sql, "SELECT value FROM settings WHERE name = ?", name).first_text();
    });
    return value;
}

void Store::set_setting(std::string_view name, std::string_view value) {
    database_->write([&](Session& sql) {
        Query(sql,
              "INSERT INTO settings (name, value) VALUES (?, ?)"
              " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
              name, value)
            .execute();
    });
}

std::optional<std::string> Store::find_app_setting(std::string_view app, std::string_view name) {
    std::optional<std::string> value;
    database_->read([&](Session& sql) {
        value = Query(sql, "SELECT value FROM app_settings WHERE app = ? AND name = ?", app, name)
                    .first_text();
    });
    return value;
}

void Store::set_app_setting(std::string_view app, std::string_view name, std::string_view value) {
    database_->write([&](Session& sql) {
        require_app(sql, app);
        Query(sql, "DELETE FROM app_settings WHERE app = ? AND name = ?", app, name).execute();
        if (!value.empty())
            Query(sql, "INSERT INTO app_settings (app, name, value) VALUES (?, ?, ?)", app, name,
                  value)
                .execute();
    });
}

} // namespace apps
