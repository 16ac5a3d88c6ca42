#include "apps/hooks.h"

#include "apps/database.h"

#include "checks.h"
#include "notice_rows.h"
#include "query.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

const std::string select_notices =
    "SELECT CAST(number AS BIGINT), kind, app, target, subject, payload, state, reason, attempts,"
    " created, due FROM notices";

// What was to be said first is said first: the others wait for it even when they are due.
const std::string first_of_its_subject =
    "state = 'open' AND NOT EXISTS (SELECT 1 FROM notices earlier WHERE earlier.state = 'open' AND"
    " earlier.target = notices.target AND earlier.subject = notices.subject AND"
    " earlier.number < notices.number)";

const std::string old_ones = " FROM notices WHERE created < ? AND state <> 'open'";

Notice read_notice(const soci::row& row) {
    return {number(row, 0), text(row, 1),   text(row, 2),
            text(row, 3),   text(row, 4),   text(row, 5),
            text(row, 6),   text(row, 7),   static_cast<int>(number(row, 8)),
            number(row, 9), number(row, 10)};
}

std::vector<Notice> read_all(Query& query) {
    std::vector<Notice> notices;
    query.each([&](const soci::row& row) { notices.push_back(read_notice(row)); });
    return notices;
}

const std::string select_subscriptions =
    "SELECT id, app, url, sealed_secret, events, created FROM subscriptions";

Subscription read_subscription(const soci::row& row) {
    return {
        text(row, 0),
        text(row, 1),
        text(row, 2),
        text(row, 3),
        base::json::parse(text(row, 4), "a subscription's events").get<std::vector<std::string>>(),
        number(row, 5)};
}

} // namespace

void insert_notice(Session& sql, const Notice& notice) {
    Query(sql,
          "INSERT INTO notices (kind, app, target, subject, payload, state, reason, attempts,"
          " created, due) VALUES " +
              placeholders(10),
          notice.kind, notice.app, notice.target, notice.subject, notice.payload,
          notice.state.empty() ? std::string("open") : notice.state, notice.reason, notice.attempts,
          notice.created, notice.due)
        .execute();
}

void Notices::add(const Notice& notice) {
    database_.write([&](Session& sql) {
        require_app(sql, notice.app);
        insert_notice(sql, notice);
    });
}

std::vector<Notice> Notices::list_due(std::int64_t now, int limit) {
    std::vector<Notice> found;
    database_.read([&](Session& sql) {
        Query query(sql,
                    select_notices +
                        " WHERE number IN (SELECT number FROM (SELECT number, ROW_NUMBER() OVER"
                        " (PARTITION BY target ORDER BY due, number) AS turn FROM notices"
                        " WHERE due <= ? AND " +
                        first_of_its_subject +
                        ") firsts WHERE turn = 1) ORDER BY due, number LIMIT ?",
                    now, limit);
        found = read_all(query);
    });
    return found;
}

std::optional<std::int64_t> Notices::next_due() {
    std::optional<std::int64_t> next;
    database_.read([&](Session& sql) {
        next = Query(sql, "SELECT due FROM notices WHERE " + first_of_its_subject +
                              " ORDER BY due LIMIT 1")
                   .first_number();
    });
    return next;
}

void Notices::update(const Notice& notice) {
    database_.write([&](Session& sql) {
        Query(sql,
              "UPDATE notices SET payload = ?, state = ?, reason = ?, attempts = ?, due = ?"
              " WHERE number = ?",
              notice.payload, notice.state, notice.reason, notice.attempts, notice.due,
              notice.number)
            .execute();
    });
}

std::vector<Notice> Notices::list(std::string_view target, int limit) {
    std::vector<Notice> found;
    database_.read([&](Session& sql) {
        Query query(sql, select_notices + " WHERE target = ? ORDER BY number DESC LIMIT ?", target,
                    limit);
        found = read_all(query);
    });
    return found;
}

std::vector<Notice> Notices::list_of(std::string_view target, std::string_view subject) {
    std::vector<Notice> found;
    database_.read([&](Session& sql) {
        Query query(sql, select_notices + " WHERE target = ? AND subject = ? ORDER BY number",
                    target, subject);
        found = read_all(query);
    });
    return found;
}

int Notices::remove_before(std::int64_t time) {
    std::int64_t removed = 0;
    database_.write(
        [&](Session& sql) { removed = Query(sql, "DELETE" + old_ones, time).execute(); });
    return static_cast<int>(removed);
}

int Notices::count_before(std::int64_t time) {
    std::int64_t count = 0;
    database_.read([&](Session& sql) {
        count = *Query(sql, "SELECT COUNT(*)" + old_ones, time).first_number();
    });
    return static_cast<int>(count);
}

std::vector<Subscription> list_subscriptions(Session& sql, std::string_view app) {
    std::vector<Subscription> found;
    Query query(sql, select_subscriptions + (app.empty() ? "" : " WHERE app = ?") + " ORDER BY id");
    if (!app.empty()) query.bind(app);
    query.each([&](const soci::row& row) { found.push_back(read_subscription(row)); });
    return found;
}

void Notices::add(const Subscription& subscription) {
    database_.write([&](Session& sql) {
        require_app(sql, subscription.app);
        Query(sql,
              "INSERT INTO subscriptions (id, app, url, sealed_secret, events, created) VALUES"
              " (?, ?, ?, ?, ?, ?)",
              subscription.id, subscription.app, subscription.url, subscription.sealed_secret,
              base::json::render(base::json::Value(subscription.events)), subscription.created)
            .execute();
    });
}

std::vector<Subscription> Notices::list_subscriptions(std::string_view app) {
    std::vector<Subscription> found;
    database_.read([&](Session& sql) { found = apps::list_subscriptions(sql, app); });
    return found;
}

std::optional<Subscription> Notices::find_subscription(std::string_view id) {
    std::optional<Subscription> found;
    database_.read([&](Session& sql) {
        found = Query(sql, select_subscriptions + " WHERE id = ?", id).first(read_subscription);
    });
    return found;
}

// What it was still to be told goes with it.
void Notices::remove_subscription(std::string_view id) {
    database_.write([&](Session& sql) {
        if (!Query(sql, "DELETE FROM subscriptions WHERE id = ?", id).changes())
            throw Error(ErrorKind::not_found,
                        "there is no notification \"" + std::string(id) + "\"");
        Query(sql, "DELETE FROM notices WHERE target = ?", id).execute();
    });
}

} // namespace apps
