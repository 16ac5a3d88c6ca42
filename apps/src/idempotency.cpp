#include "apps/tokens.h"

#include "apps/database.h"

#include "query.h"

namespace apps {
namespace {

// Milliseconds. A server that has not answered by then will not: it, or its host, is no more.
constexpr std::int64_t longest_answer = 10 * 60'000;

} // namespace

std::optional<Remembered> Idempotency::begin(std::string_view caller, std::string_view key,
                                             std::string_view request_hash, std::int64_t now,
                                             std::string_view server) {
    std::optional<Remembered> known;
    database_.write([&](Session& sql) {
        known.reset();
        if (Query(sql,
                  "INSERT INTO answers (caller, key, request_hash, status, body, created, server)"
                  " VALUES (?, ?, ?, 0, '', ?, ?) ON CONFLICT (caller, key) DO UPDATE SET"
                  " created = excluded.created, server = excluded.server WHERE answers.status = 0"
                  " AND answers.build = '' AND answers.request_hash = excluded.request_hash"
                  " AND answers.created <= excluded.created - ?",
                  caller, key, request_hash, now, server, longest_answer)
                .changes())
            return;
        known = Query(sql,
                      "SELECT request_hash, status, body, build FROM answers WHERE caller = ?"
                      " AND key = ?",
                      caller, key)
                    .first([](const soci::row& row) {
                        return Remembered{text(row, 0), static_cast<int>(number(row, 1)),
                                          text(row, 2), text(row, 3)};
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
        Query(sql, "DELETE FROM answers WHERE caller = ? AND key = ? AND build = ''", caller, key)
            .execute();
    });
}

int Idempotency::forget_unanswered(std::string_view server) {
    std::int64_t removed = 0;
    database_.write([&](Session& sql) {
        removed =
            Query(sql, "DELETE FROM answers WHERE status = 0 AND build = '' AND server = ?", server)
                .execute();
    });
    return static_cast<int>(removed);
}

int Idempotency::count_before(std::int64_t time) {
    std::int64_t count = 0;
    database_.read([&](Session& sql) {
        count = *Query(sql, "SELECT COUNT(*) FROM answers WHERE created < ?", time).first_number();
    });
    return static_cast<int>(count);
}

int Idempotency::remove_before(std::int64_t time) {
    std::int64_t removed = 0;
    database_.write([&](Session& sql) {
        removed = Query(sql, "DELETE FROM answers WHERE created < ?", time).execute();
    });
    return static_cast<int>(removed);
}

} // namespace apps
