#include "checks.h"

#include "query.h"

#include "base/error.h"

namespace apps {

using base::Error;
using base::ErrorKind;

bool exists(Session& sql, const char* table, std::string_view name) {
    return Query(sql, std::string("SELECT 1 FROM ") + table + " WHERE name = ?", name).finds();
}

void require_app(Session& sql, std::string_view app) {
    if (!exists(sql, "apps", app))
        throw Error(ErrorKind::not_found, "there is no app \"" + std::string(app) + "\"");
}

void refuse_known_key(Session& sql, const Key& key) {
    if (exists(sql, "keys", key.name))
        throw Error(ErrorKind::already_exists, "there is a key \"" + key.name + "\" already",
                    "Choose another name, or remove that key first.");
    const auto owner =
        Query(sql, "SELECT name FROM keys WHERE fingerprint = ?", key.fingerprint).first_text();
    if (owner)
        throw Error(ErrorKind::already_exists, "this key was added already, as \"" + *owner + "\"");
}

} // namespace apps
