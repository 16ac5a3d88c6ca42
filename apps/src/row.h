// Between rows of the database and records.
#pragma once

#include "apps/records.h"

#include <soci/row.h>
#include <soci/session.h>

#include <string>

namespace apps {

// SOCI binds by reference and knows long long, not std::int64_t (a long here).
inline long long as_number(std::int64_t value) {
    return value;
}

// SQLite's column types are what the declaration says, not what SOCI expects of an expression.
std::int64_t number(const soci::row& row, std::size_t column);

struct BuildRow {
    explicit BuildRow(const Build& build);
    std::string state;
    std::string phases;    // JSON: [["fetch", 12], ...]
    std::string processes; // JSON: [{"type", "command", "default"}, ...]
    long long created, started, finished, size;
};

extern const std::string select_builds; // "SELECT ... FROM builds"
Build read_build(const soci::row& row);

extern const std::string select_keys;
Key read_key(soci::session& sql, const soci::row& row);

} // namespace apps
