#include "apps/tokens.h"

#include "apps/database.h"

#include "query.h"

namespace apps {

std::optional<Remembered> Idempotency::begin(std::string_view caller, std::string_view key,
                                             std::string_view request_hash, std::int64_t now) {
    std::optional<Remembered> known;
    database_.write([&](Session& sql) {
        known.reset();
        if (Query(sql,
                  "INSERT INTO answers (caller, key, request_hash, status, body, created)"
                  " VALUES (?, ?, ?, 0, '', ?) ON CONFLICT DO NOTHING",
                  caller, key, request_hash, now)
                .changes())
            return;
        known =
            Query(sql,
                  "SELECT request_hash, status, body FROM answers WHERE caller = ? AND key = ?",
                  caller, key)
                .first([](const soci::row& row) {
                    return Remembered{text(row, 0), static_cast<int>(number(row, 1)), text(row, 2)};
                });
    });
    return known;
}

void Idempotency::finish(std::string_view caller, std::string_view key, int status,
                         std::string_view body) {
    database_.write([&](Session& sql) {
        Query(sql, "UPDATE answers SET status = ?, body = ? WHERE caller = ? AND key = ?", status,
              body, caller, key)
            .execute();
    });
}

void Idempotency::forget(std::string_view caller, std::string_view key) {
    database_.write([&](Session& sql) {
        Query(sql, "DELETE FROM answers WHERE caller = ? AND key = ?", caller, key).execute();
    });
}

int Idempotency::remove_before(std::int64_t time) {
    std::int64_t removed = 0;
    database_.write([&](Session& sql) {
        removed = Query(sql, "DELETE FROM answers WHERE created < ?", time).execute();
    });
    return static_cast<int>(removed);
}

} // namespace apps
