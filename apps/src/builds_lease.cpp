// Who works on which build. The lease keeps a dead worker from holding a build for ever; the fence
// keeps one that was given up on from writing over its successor.
#include "apps/builds.h"

#include "apps/database.h"

#include "row.h"

#include "base/error.h"

namespace apps {
namespace {

using base::Error;
using base::ErrorKind;

constexpr const char* held = "state IN ('running', 'exporting') AND parked = 0";

// The order of claim(): the owner whose last start is longest ago is the one whose newest fence is
// the smallest, whatever clocks say.
std::string next_build(const Database& database) {
    return "SELECT id FROM builds q WHERE state = 'queued' AND NOT EXISTS (SELECT 1 FROM builds r"
           " WHERE r.state IN ('running', 'exporting') AND r.parked = 0 AND r.app = q.app) ORDER BY"
           " CASE WHEN created <= " +
           database.now() +
           " - ? THEN 0 ELSE priority END,"
           " (SELECT COUNT(*) FROM builds r WHERE r.state IN ('running', 'exporting')"
           " AND r.parked = 0 AND r.share = q.share),"
           " (SELECT MAX(s.fence) FROM builds s WHERE s.share = q.share), id LIMIT 1";
}

// What becomes of a build whose worker is gone. now: of the database.
void decide(Session& sql, Build& build, const RecoverSettings& settings, bool counts,
            std::int64_t now) {
    const auto cancelled =
        Query(sql, "SELECT cancel_reason FROM builds WHERE id = ? AND cancel_asked = 1", build.id)
            .first_text();
    if (cancelled) {
        build.state = BuildState::cancelled;
        build.reason = *cancelled;
    } else if (build.kept) { // it was sending the image, or about to, which is still there
        build.state = BuildState::exporting;
        build.tries_again = now;
    } else if (build.durable && (!counts || build.attempt < settings.most_attempts)) {
        build.state = BuildState::queued;
        if (!counts) --build.attempt;
        build.started = 0;
        build.phases.clear();
        build.worker.clear();
    } else if (build.door == "rebase") {
        build.state = BuildState::lost;
        build.reason = "the server stopped while it was rebased; rebase it again";
    } else {
        build.state = BuildState::lost;
        build.reason = build.durable ? settings.poison_reason : settings.lost_reason;
    }
}

[[noreturn]] void throw_lost(const Build& build) {
    throw Error(ErrorKind::denied,
                "build " + build.id + " is no longer this worker's: its lease was taken away");
}

} // namespace

std::optional<Claim> Builds::claim(std::string_view worker, std::chrono::milliseconds lease,
                                   std::chrono::milliseconds aging) {
    std::optional<Claim> claimed;
    database_.write([&](Session& sql) {
        claimed.reset();
        database_.take_turns(sql);
        const auto next = [&] {
            return Query(sql, next_build(database_), aging.count()).first_text();
        };
        auto id = next();
        if (!id) return;
        const auto fence = next_fence(sql);
        const auto take = [&] {
            return Query(sql,
                         "UPDATE builds SET state = 'running', worker = ?, fence = ?,"
                         " attempt = attempt + 1, lease = " +
                             database_.now() + " + ?, started = " + database_.now() +
                             " WHERE id = ? AND state = 'queued'",
                         worker, fence, lease.count(), *id)
                .changes();
        };
        while (!take()) { // somebody cancelled it meanwhile
            id = next();
            if (!id) return;
        }
        auto build = Query(sql, select_builds + " WHERE id = ?", *id).first(read_build);
        write_notices(sql, *build);
        claimed = Claim{std::move(*build), fence};
    });
    return claimed;
}

bool Builds::renew(std::string_view id, std::int64_t fence, std::chrono::milliseconds lease) {
    bool ours = false;
    database_.write([&](Session& sql) {
        ours = Query(sql,
                     "UPDATE builds SET lease = " + database_.now() +
                         " + ? WHERE id = ? AND fence = ? AND " + held,
                     lease.count(), id, fence)
                   .changes();
    });
    return ours;
}

void Builds::note(const Build& build, std::int64_t fence) {
    database_.write([&](Session& sql) {
        const bool exports = build.state == BuildState::exporting &&
                             Query(sql,
                                   "UPDATE builds SET state = 'exporting' WHERE id = ?"
                                   " AND fence = ? AND state = 'running'",
                                   build.id, fence)
                                 .changes();
        if (!Query(sql,
                   std::string("UPDATE builds SET state = ?, phases = ?, commit_id = ?, ref = ?"
                               " WHERE id = ? AND fence = ? AND ") +
                       held,
                   to_string(build.state), render_phases(build), build.commit, build.ref, build.id,
                   fence)
                 .changes())
            throw_lost(build);
        if (exports) write_notices(sql, build);
    });
}

void Builds::park(const Build& build, std::int64_t fence, std::chrono::milliseconds pause) {
    database_.write([&](Session& sql) {
        if (!update_build(sql, build, fence)) throw_lost(build);
        Query(sql,
              "UPDATE builds SET kept = 1, lease = 0, parked = " + database_.now() +
                  " + ? WHERE id = ?",
              pause.count(), build.id)
            .execute();
    });
}

namespace {

bool is_overtaken(Session& sql, std::string_view id) {
    const auto build = *Query(sql, select_builds + " WHERE id = ?", id).first(read_build);
    return Query(sql,
                 "SELECT 1 FROM builds WHERE app = ? AND state = 'published' AND id > ? AND " +
                     age_of_source + " > ? AND " + same_tag(sql, id),
                 build.app, id, id, build.ref)
        .finds();
}

} // namespace

std::optional<Claim> Builds::claim_parked(std::string_view worker,
                                          std::chrono::milliseconds lease) {
    const auto find_due = [&](Session& sql) {
        return Query(sql,
                     "SELECT id FROM builds q WHERE " + parked_builds +
                         " AND worker = ? AND parked <= " + database_.now() +
                         " AND NOT EXISTS (SELECT 1 FROM builds r WHERE"
                         " r.state IN ('running', 'exporting') AND r.parked = 0"
                         " AND r.app = q.app) ORDER BY parked, id LIMIT 1",
                     worker)
            .first_text();
    };
    bool is_due = false; // hardly ever: a look costs other writers nothing
    database_.read([&](Session& sql) { is_due = find_due(sql).has_value(); });
    std::optional<Claim> claimed;
    if (!is_due) return claimed;
    database_.write([&](Session& sql) {
        claimed.reset();
        database_.take_turns(sql);
        auto id = find_due(sql);
        // Whoever published a newer one may have died before he closed those before it.
        for (; id && is_overtaken(sql, *id); id = find_due(sql)) {
            supersede_build(sql, database_.now(), *id, parked_builds,
                            "a newer image was published meanwhile");
            write_notices(sql, *id);
        }
        if (!id) return;
        const auto fence = next_fence(sql);
        if (!Query(sql,
                   "UPDATE builds SET parked = 0, fence = ?, lease = " + database_.now() +
                       " + ? WHERE id = ? AND " + parked_builds,
                   fence, lease.count(), *id)
                 .changes())
            return; // somebody cancelled it meanwhile
        auto build = Query(sql, select_builds + " WHERE id = ?", *id).first(read_build);
        claimed = Claim{std::move(*build), fence};
    });
    return claimed;
}

void Builds::finish(const Build& build, std::int64_t fence) {
    database_.write([&](Session& sql) {
        if (!update_build(sql, build, fence)) throw_lost(build);
        write_notices(sql, build);
    });
}

std::vector<Build> Builds::recover(const RecoverSettings& settings, std::string_view every_of) {
    std::vector<Build> changed;
    database_.write([&](Session& sql) {
        database_.take_turns(sql);
        changed.clear();
        const auto is_left =
            std::string(held) + " AND (lease <= " + database_.now() + " OR worker = ?)";
        std::vector<std::string> ids;
        Query(sql, "SELECT id FROM builds WHERE " + is_left + " ORDER BY id", every_of)
            .each([&](const soci::row& row) { ids.push_back(text(row, 0)); });
        const auto time = *Query(sql, "SELECT " + database_.now()).first_number();
        for (const auto& id : ids) {
            // Its worker may have finished it, or renewed its lease, since the line above: what
            // holds now is asked again by the statement that takes it away.
            if (!Query(sql, "UPDATE builds SET lease = 0 WHERE id = ? AND " + is_left, id, every_of)
                     .changes())
                continue;
            auto build = *Query(sql, select_builds + " WHERE id = ?", id).first(read_build);
            build.kept = build.kept || (settings.has_image && settings.has_image(build.id));
            decide(sql, build, settings, !settings.orderly || build.worker != every_of, time);
            if (is_over(build.state)) build.finished = time;
            update_build(sql, build);
            Query(sql,
                  "UPDATE builds SET worker = ?, attempt = ?, lease = 0, kept = ?, parked = ?"
                  " WHERE id = ?",
                  build.worker, build.attempt, build.kept, build.tries_again, build.id)
                .execute();
            write_notices(sql, build);
            changed.push_back(std::move(build));
        }
    });
    return changed;
}

} // namespace apps
