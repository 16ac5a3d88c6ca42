#include "apps/builds.h"

#include "apps/database.h"

#include "checks.h"
#include "notice_rows.h"
#include "row.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

constexpr const char* waiting = "state IN ('received', 'queued')";

// An app's owner is whoever it had when the build came.
Build with_owner(Session& sql, const Build& build) {
    Build owned = build;
    if (owned.owner.empty())
        owned.owner = Query(sql, "SELECT owner FROM apps WHERE name = ?", build.app)
                          .first_text()
                          .value_or("");
    return owned;
}

// The row stays, as what it became.
void release_key(Session& sql, std::string_view app, std::string_view once, Replace replace) {
    const std::string states = replace == Replace::lost
                                   ? "('lost', 'broken')"
                                   : "('lost', 'broken', 'refused', 'cancelled', 'superseded')";
    Query(sql,
          "UPDATE builds SET once_key = '' WHERE app = ? AND once_key = ? AND once_key <> ''"
          " AND state IN " +
              states,
          app, once)
        .execute();
}

void refuse_more(Session& sql, const Build& build, std::int64_t most_queued,
                 std::int64_t most_of_owner) {
    const std::string count = std::string("SELECT COUNT(*) FROM builds WHERE ") + waiting;
    if (most_queued > 0 && *Query(sql, count).first_number() >= most_queued)
        throw Error(ErrorKind::limit_exceeded, "too many builds are waiting",
                    "Try again in a few minutes.");
    if (most_of_owner <= 0) return;
    const auto mine = Query(sql, count + " AND share = ?", share_of(build)).first_number();
    if (*mine >= most_of_owner)
        throw Error(ErrorKind::limit_exceeded,
                    "too many builds of " + (build.owner.empty() ? build.app : build.owner) +
                        " are waiting",
                    "Try again when some of them have ended, or cancel those that are not needed.");
}

} // namespace

void Builds::add(const Build& build, std::int64_t most_queued, std::int64_t most_of_owner) {
    add_once(build, "", most_queued, most_of_owner);
}

std::string Builds::add_once(const Build& build, std::string_view once, std::int64_t most_queued,
                             std::int64_t most_of_owner, const std::optional<RequestKey>& request,
                             Replace replace) {
    std::string id = build.id;
    const auto note_request = [&](Session& sql) {
        if (!request) return;
        Query(sql, "UPDATE answers SET build = ? WHERE caller = ? AND key = ? AND status = 0", id,
              request->caller, request->key)
            .execute();
    };
    database_.write([&](Session& sql) {
        const bool limited = most_queued > 0 || most_of_owner > 0;
        if (limited || !once.empty()) database_.take_turns(sql);
        require_app(sql, build.app);
        if (!once.empty()) {
            release_key(sql, build.app, once, replace);
            const auto there =
                Query(sql,
                      "SELECT id FROM builds WHERE app = ? AND once_key = ? AND once_key <> ''",
                      build.app, once)
                    .first_text();
            id = there.value_or(build.id);
            if (there) return note_request(sql);
        }
        const Build owned = with_owner(sql, build);
        refuse_more(sql, owned, most_queued, most_of_owner);
        insert_build(sql, owned, once);
        write_notices(sql, owned);
        note_request(sql);
    });
    return id;
}

bool Builds::enqueue(std::string_view id) {
    bool done = false;
    database_.write([&](Session& sql) {
        done =
            Query(sql, "UPDATE builds SET state = 'queued' WHERE id = ? AND state = 'received'", id)
                .changes();
        if (done) write_notices(sql, id);
    });
    return done;
}

std::vector<std::string> Builds::supersede(Older older, const Build& by, std::string_view reason) {
    const auto& waits = older == Older::queued ? queued_builds : parked_builds;
    std::vector<std::string> ids;
    database_.write([&](Session& sql) {
        database_.take_turns(sql);
        ids.clear();
        const auto same = older == Older::queued ? std::string("ref = ?") : same_tag(sql, by.id);
        std::vector<std::string> found;
        Query(sql,
              "SELECT id FROM builds WHERE " + waits + " AND app = ? AND id < ? AND " + same +
                  " ORDER BY id",
              by.app, by.retry_of.empty() ? by.id : by.retry_of, by.ref)
            .each([&](const soci::row& row) { found.push_back(text(row, 0)); });
        for (const auto& id : found)
            // A close() takes no turns: what it ended meanwhile stays as it is.
            if (supersede_build(sql, database_.now(), id, waits, reason)) {
                write_notices(sql, id);
                ids.push_back(id);
            }
    });
    return ids;
}

bool Builds::close(const Build& build) {
    bool done = false;
    database_.write([&](Session& sql) {
        done = Query(sql,
                     std::string("UPDATE builds SET state = ?, finished = ?, reason = ?, hint = ?,"
                                 " failed_phase = ?, parked = 0 WHERE id = ? AND (") +
                         waiting + " OR " + parked_builds + ")",
                     to_string(build.state), build.finished, build.reason, build.hint,
                     build.failed_phase, build.id)
                   .changes();
        if (done) write_notices(sql, build.id);
    });
    return done;
}

bool Builds::request_cancel(std::string_view id, std::string_view why) {
    bool done = false;
    database_.write([&](Session& sql) {
        // Who asked first is who is named.
        done = Query(sql,
                     "UPDATE builds SET cancel_reason = CASE WHEN cancel_asked = 1 THEN"
                     " cancel_reason ELSE ? END, cancel_asked = 1 WHERE id = ?"
                     " AND state IN ('received', 'queued', 'running', 'exporting')",
                     why, id)
                   .changes();
    });
    return done;
}

std::optional<std::string> Builds::wants_cancel(std::string_view id) {
    std::optional<std::string> why;
    database_.read([&](Session& sql) {
        why = Query(sql, "SELECT cancel_reason FROM builds WHERE id = ? AND cancel_asked = 1", id)
                  .first_text();
    });
    return why;
}

// Not after the transaction: a crash in between would leave nobody who knows what was not said. And
// whoever changes the row next waits for this transaction, so that its notices come after ours.
void Builds::write_notices(Session& sql, const Build& build) {
    if (!write_notices_) return;
    std::optional<Hook> hook;
    if (!build.hook.empty()) hook = find_hook(sql, build.hook);
    for (const auto& notice : write_notices_(build, hook, list_subscriptions(sql, build.app)))
        insert_notice(sql, notice);
}

void Builds::write_notices(Session& sql, std::string_view id) {
    if (!write_notices_) return;
    const auto build = Query(sql, select_builds + " WHERE id = ?", id).first(read_build);
    if (build) write_notices(sql, *build);
}

void Builds::remove(std::string_view id) {
    database_.write(
        [&](Session& sql) { Query(sql, "DELETE FROM builds WHERE id = ?", id).execute(); });
}

} // namespace apps
