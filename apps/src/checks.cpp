#include "checks.h"

#include "base/error.h"

namespace apps {

using base::Error;
using base::ErrorKind;
using soci::into;
using soci::use;

bool exists(soci::session& sql, const char* table, const std::string& name) {
    int count = 0;
    sql << "SELECT COUNT(*) FROM " << table << " WHERE name = :name", into(count), use(name);
    return count > 0;
}

void require_app(soci::session& sql, const std::string& app) {
    if (!exists(sql, "apps", app))
        throw Error(ErrorKind::not_found, "there is no app \"" + app + "\"");
}

void refuse_known_key(soci::session& sql, const Key& key) {
    if (exists(sql, "keys", key.name))
        throw Error(ErrorKind::already_exists, "there is a key \"" + key.name + "\" already",
                    "Choose another name, or remove that key first.");
    std::string owner;
    sql << "SELECT name FROM keys WHERE fingerprint = :fingerprint", into(owner),
        use(key.fingerprint);
    if (sql.got_data())
        throw Error(ErrorKind::already_exists, "this key was added already, as \"" + owner + "\"");
}

} // namespace apps
