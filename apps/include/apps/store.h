// The server's memory. The server's main owns the one Store; any thread may call it. Each call is
// one transaction and durable when it returns. Throws base::Error: not_found, already_exists,
// unavailable (the database is locked or gone: try again later), limit_exceeded (disk full).
#pragma once

#include "apps/records.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apps {

struct BuildFilter {
    std::string app; // empty: of every app
    int limit = 50;  // the newest ones
};

class Store {
  public:
    virtual ~Store() = default;

    virtual void add_app(const App& app) = 0;
    virtual std::optional<App> find_app(std::string_view name) = 0;
    virtual std::vector<App> list_apps() = 0; // by name
    // With its builds and its place in keys; a key for this app alone goes too, or it would become
    // a key for every app.
    virtual void remove_app(std::string_view name) = 0;

    // already_exists for a name or a fingerprint that is there; not_found for an unknown app.
    virtual void add_key(const Key& key) = 0;
    virtual std::optional<Key> find_key_by_fingerprint(std::string_view fingerprint) = 0;
    virtual std::vector<Key> list_keys() = 0; // by name
    virtual void remove_key(std::string_view name) = 0;
    // Whether this key may push to this app; false when either is unknown.
    virtual bool may_push(std::string_view fingerprint, std::string_view app) = 0;

    virtual void add_build(const Build& build) = 0;
    virtual void update_build(const Build& build) = 0; // all but id, app and created
    virtual std::optional<Build> find_build(std::string_view id) = 0;
    virtual std::vector<Build> list_builds(const BuildFilter& filter) = 0; // newest first
    virtual std::optional<Build> last_published(std::string_view app) = 0;
    // Rows that a server which is no more left queued or running become broken, with this reason.
    // Returns their ids.
    virtual std::vector<std::string> close_abandoned_builds(std::string_view reason) = 0;

    // Adds or replaces; one with `current` becomes the only current one, another changes nothing
    // about which is.
    virtual void use_stack(const Stack& stack) = 0;
    virtual std::optional<Stack> find_stack(std::string_view name) = 0;
    virtual std::optional<Stack> current_stack() = 0;
    virtual std::vector<Stack> list_stacks() = 0; // by name

    virtual std::optional<std::string> find_setting(std::string_view name) = 0;
    virtual void set_setting(std::string_view name, std::string_view value) = 0;
    // Of one app; they go with it. Setting an empty value removes the setting. Throws
    // Error{not_found} for an unknown app.
    virtual std::optional<std::string> find_app_setting(std::string_view app,
                                                        std::string_view name) = 0;
    virtual void set_app_setting(std::string_view app, std::string_view name,
                                 std::string_view value) = 0;
};

// Opens or makes the database (mode 0600) and brings its schema to this program's version. A
// database of a newer program is refused. WAL, synchronous=FULL, waits 5 s for a lock.
std::unique_ptr<Store> open_sqlite_store(const std::filesystem::path& file);

} // namespace apps
