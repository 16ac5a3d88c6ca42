// The server's memory: one database and its tables. The server's main owns the one Store; any
// thread may call it. Each call is one transaction and durable when it returns. Throws base::Error:
// not_found, already_exists, unavailable (the database is locked or gone: try again later),
// limit_exceeded (disk full).
#pragma once

#include "apps/builds.h"
#include "apps/database.h"
#include "apps/hooks.h"
#include "apps/records.h"
#include "apps/tokens.h"
#include "apps/uploads.h"
#include "apps/variables.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

class Store {
  public:
    explicit Store(std::unique_ptr<Database> database);

    Database& database() noexcept { return *database_; }
    Builds& builds() noexcept { return builds_; }
    Tokens& tokens() noexcept { return tokens_; }
    Idempotency& idempotency() noexcept { return idempotency_; }
    Variables& variables() noexcept { return variables_; }
    Hooks& hooks() noexcept { return hooks_; }
    Notices& notices() noexcept { return notices_; }
    Uploads& uploads() noexcept { return uploads_; }

    void add_app(const App& app);
    std::optional<App> find_app(std::string_view name);
    // The one whose images are there (App::path).
    std::optional<App> find_app_of_repository(std::string_view repository);
    std::vector<App> list_apps(); // by name
    // Of builds that come from now on. Throws Error{not_found}.
    void set_app_owner(std::string_view name, std::string_view owner);
    // Empty: its name. Throws Error{not_found}; Error{already_exists} when it is another app's.
    // registry_of: as remove_app has it, for the repository that it had.
    void set_app_repository(std::string_view name, std::string_view repository,
                            std::string_view registry_of = {});
    // With its builds, config vars, webhooks, and its place in keys and tokens; a key or a token
    // for this app alone goes too, or it would become one for every app. registry_of: the server in
    // whose own registry the images are (empty: in none); from the same moment on the app's
    // repository is leaving there.
    void remove_app(std::string_view name, std::string_view registry_of = {});
    // Repositories that are no app's any more, of which this server has to remove what is there, by
    // name: those that began to leave at least `age` ago, by the database's clock. One that an app
    // takes (add_app, set_app_repository) is leaving no more.
    std::vector<std::string> list_leaving(std::string_view server,
                                          std::chrono::milliseconds age = {});
    bool is_leaving(std::string_view repository);                              // of any server
    void forget_leaving(std::string_view server, std::string_view repository); // all is removed

    // already_exists for a name or a fingerprint that is there; not_found for an unknown app.
    void add_key(const Key& key);
    std::optional<Key> find_key_by_fingerprint(std::string_view fingerprint);
    std::vector<Key> list_keys(); // by name
    void remove_key(std::string_view name);
    // Whether this key may push to this app; false when either is unknown.
    bool may_push(std::string_view fingerprint, std::string_view app);

    // Adds or replaces; one with `current` becomes the only current one, another changes nothing
    // about which is.
    void use_stack(const Stack& stack);
    std::optional<Stack> find_stack(std::string_view name);
    std::optional<Stack> current_stack();
    std::vector<Stack> list_stacks(); // by name

    std::optional<std::string> find_setting(std::string_view name);
    void set_setting(std::string_view name, std::string_view value);
    // Of one app; they go with it. Setting an empty value removes the setting. Throws
    // Error{not_found} for an unknown app.
    std::optional<std::string> find_app_setting(std::string_view app, std::string_view name);
    void set_app_setting(std::string_view app, std::string_view name, std::string_view value);

  private:
    std::unique_ptr<Database> database_;
    Builds builds_{*database_};
    Tokens tokens_{*database_};
    Idempotency idempotency_{*database_};
    Variables variables_{*database_};
    Hooks hooks_{*database_};
    Notices notices_{*database_};
    Uploads uploads_{*database_};
};

// As open_sqlite does.
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file);
// SQLite in `file` when there is no connection; else as open_postgresql does.
std::unique_ptr<Store> open_store(const std::filesystem::path& file, const std::string& connection,
                                  const std::string& password);

} // namespace apps
