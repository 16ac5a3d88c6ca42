#include "apps/hooks.h"

#include "apps/database.h"

#include "query.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

// SQLite calls its own row numbers INTEGER, which SOCI reads into 32 bits.
const std::string select_deliveries =
    "SELECT CAST(number AS BIGINT), hook, delivery, event, ref, commit_id, state, reason, build,"
    " content, body_sha256, received, replays FROM deliveries";

const std::string left_behind = "received < ? AND state <> 'accepted'";

Delivery read_delivery(const soci::row& row) {
    return {number(row, 0), text(row, 1),    text(row, 2),   text(row, 3), text(row, 4),
            text(row, 5),   text(row, 6),    text(row, 7),   text(row, 8), text(row, 9),
            text(row, 10),  number(row, 11), number(row, 12)};
}

// PostgreSQL takes a bare parameter of a SELECT for a text.
const std::string insert_delivery =
    "INSERT INTO deliveries (hook, delivery, event, ref, commit_id, state, reason, build, content,"
    " body_sha256, received, replays) SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS BIGINT),"
    " CAST(? AS BIGINT) FROM hooks WHERE id = ?";
const std::string says_the_same = " AND kind = ? AND repository = ? AND repository_id = ? AND"
                                  " branch = ? AND sealed_secret = ? AND options = ?";
const std::string give_number = " ON CONFLICT DO NOTHING RETURNING CAST(number AS BIGINT)";

Query inserting(Session& sql, const std::string& statement, const Delivery& delivery) {
    return Query(sql, statement, delivery.delivery, delivery.event, delivery.ref, delivery.commit,
                 delivery.state, delivery.reason, delivery.build, delivery.content,
                 delivery.body_sha256, delivery.received, delivery.replays, delivery.hook);
}

std::vector<Delivery> read_all(Query& query) {
    std::vector<Delivery> deliveries;
    query.each([&](const soci::row& row) { deliveries.push_back(read_delivery(row)); });
    return deliveries;
}

} // namespace

bool Hooks::record(Delivery& delivery) {
    std::optional<std::int64_t> given;
    database_.write([&](Session& sql) {
        given = inserting(sql, insert_delivery + give_number, delivery).first_number();
        if (!given && !Query(sql, "SELECT 1 FROM hooks WHERE id = ?", delivery.hook).finds())
            throw Error(ErrorKind::not_found, "there is no webhook \"" + delivery.hook + "\"");
    });
    if (given) delivery.number = *given;
    return given.has_value();
}

Hooks::Recorded Hooks::record(Delivery& delivery, const Hook& decided_by) {
    static const std::string statement = insert_delivery + says_the_same + give_number;
    std::optional<std::int64_t> given;
    bool there = false;
    database_.write([&](Session& sql) {
        auto query = inserting(sql, statement, delivery);
        for (const auto* text :
             {&decided_by.kind, &decided_by.repository, &decided_by.repository_id,
              &decided_by.branch, &decided_by.sealed_secret, &decided_by.options})
            query.bind(*text);
        given = query.first_number();
        there = !given && Query(sql, "SELECT 1 FROM deliveries WHERE hook = ? AND delivery = ?",
                                delivery.hook, delivery.delivery)
                              .finds();
    });
    if (given) delivery.number = *given;
    return given ? Recorded::yes : there ? Recorded::there_already : Recorded::webhook_changed;
}

void Hooks::update(const Delivery& delivery) {
    database_.write([&](Session& sql) {
        if (!Query(sql,
                   "UPDATE deliveries SET state = ?, reason = ?, build = ?, replays = ?"
                   " WHERE number = ?",
                   delivery.state, delivery.reason, delivery.build, delivery.replays,
                   delivery.number)
                 .changes())
            throw Error(ErrorKind::not_found,
                        "there is no delivery \"" + delivery.delivery + "\" any more");
    });
}

void Hooks::settle(const std::vector<Delivery>& deliveries) {
    if (deliveries.empty()) return;
    database_.write([&](Session& sql) {
        for (const auto& delivery : deliveries)
            Query(sql,
                  "UPDATE deliveries SET state = ?, reason = ?, build = ? WHERE number = ?"
                  " AND state = 'accepted'",
                  delivery.state, delivery.reason, delivery.build, delivery.number)
                .execute();
    });
}

std::optional<Delivery> Hooks::find_delivery(std::string_view hook, std::string_view delivery) {
    std::optional<Delivery> found;
    database_.read([&](Session& sql) {
        found = Query(sql, select_deliveries + " WHERE hook = ? AND delivery = ?", hook, delivery)
                    .first(read_delivery);
    });
    return found;
}

std::vector<Delivery> Hooks::list_deliveries(std::string_view hook, int limit, int offset) {
    std::vector<Delivery> found;
    database_.read([&](Session& sql) {
        Query query(sql,
                    select_deliveries + " WHERE hook = ? ORDER BY number DESC LIMIT ? OFFSET ?",
                    hook, limit, offset);
        found = read_all(query);
    });
    return found;
}

std::int64_t Hooks::count_deliveries(std::string_view hook) {
    std::int64_t count = 0;
    database_.read([&](Session& sql) {
        count = Query(sql, "SELECT COUNT(*) FROM deliveries WHERE hook = ?", hook)
                    .first_number()
                    .value_or(0);
    });
    return count;
}

std::vector<OpenHook> Hooks::list_open_hooks() {
    std::vector<OpenHook> found;
    database_.read([&](Session& sql) {
        found.clear();
        Query(sql, "SELECT open.hook, CASE WHEN apps.owner = '' THEN 'app/' || apps.name"
                   " ELSE 'owner/' || apps.owner END, open.oldest, open.count FROM"
                   " (SELECT hook, CAST(MIN(number) AS BIGINT) AS oldest, COUNT(*) AS count"
                   " FROM deliveries WHERE state = 'accepted' GROUP BY hook) open"
                   " JOIN hooks ON hooks.id = open.hook JOIN apps ON apps.name = hooks.app"
                   " ORDER BY open.oldest")
            .each([&](const soci::row& row) {
                found.push_back({text(row, 0), text(row, 1), number(row, 2), number(row, 3)});
            });
    });
    return found;
}

std::vector<Delivery> Hooks::list_open(std::string_view hook, int limit) {
    std::vector<Delivery> found;
    database_.read([&](Session& sql) {
        Query query(sql,
                    select_deliveries +
                        " WHERE state = 'accepted' AND hook = ? ORDER BY number LIMIT ?",
                    hook, limit);
        found = read_all(query);
    });
    return found;
}

std::vector<Delivery> Hooks::list_waiting(std::string_view hook, std::string_view commit) {
    std::vector<Delivery> found;
    database_.read([&](Session& sql) {
        Query query(sql,
                    select_deliveries + " WHERE state = 'waiting' AND hook = ? AND commit_id = ?"
                                        " ORDER BY number",
                    hook, commit);
        found = read_all(query);
    });
    return found;
}

std::vector<Delivery> Hooks::list_ignored(std::string_view hook, std::string_view commit,
                                          int limit) {
    std::vector<Delivery> found;
    database_.read([&](Session& sql) {
        Query query(sql,
                    select_deliveries + " WHERE state = 'ignored' AND hook = ? AND commit_id = ?"
                                        " ORDER BY number DESC LIMIT ?",
                    hook, commit, limit);
        found = read_all(query);
    });
    return found;
}

int Hooks::count_deliveries_before(std::int64_t time) {
    std::int64_t count = 0;
    database_.read([&](Session& sql) {
        count = *Query(sql, "SELECT COUNT(*) FROM deliveries WHERE " + left_behind, time)
                     .first_number();
    });
    return static_cast<int>(count);
}

int Hooks::remove_deliveries_before(std::int64_t time) {
    std::int64_t removed = 0;
    database_.write([&](Session& sql) {
        removed = Query(sql, "DELETE FROM deliveries WHERE " + left_behind, time).execute();
    });
    return static_cast<int>(removed);
}

} // namespace apps
