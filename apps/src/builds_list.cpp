#include "apps/builds.h"

#include "apps/database.h"

#include "row.h"

namespace apps {
namespace {

std::string where(const BuildFilter& filter) {
    std::string conditions = " WHERE 1 = 1";
    if (!filter.app.empty()) conditions += " AND app = ?";
    if (!filter.apps.empty()) conditions += " AND app IN " + placeholders(filter.apps.size());
    if (filter.state) conditions += " AND state = ?";
    return conditions;
}

void bind(Query& query, const BuildFilter& filter) {
    if (!filter.app.empty()) query.bind(filter.app);
    for (const auto& app : filter.apps) query.bind(app);
    if (filter.state) query.bind(to_string(*filter.state));
}

} // namespace

std::optional<Build> Builds::find(std::string_view id) {
    std::optional<Build> found;
    database_.read([&](Session& sql) {
        found = Query(sql, select_builds + " WHERE id = ?", id).first(read_build);
    });
    return found;
}

std::vector<Build> Builds::list(const BuildFilter& filter) {
    std::vector<Build> builds;
    database_.read([&](Session& sql) {
        builds.clear();
        Query query(sql, select_builds + where(filter) + " ORDER BY id DESC LIMIT ? OFFSET ?");
        bind(query, filter);
        query.bind(filter.limit).bind(filter.offset);
        query.each([&](const soci::row& row) { builds.push_back(read_build(row)); });
    });
    return builds;
}

std::int64_t Builds::count(const BuildFilter& filter) {
    std::int64_t count = 0;
    database_.read([&](Session& sql) {
        Query query(sql, "SELECT COUNT(*) FROM builds" + where(filter));
        bind(query, filter);
        count = *query.first_number();
    });
    return count;
}

std::optional<Build> Builds::last_published(std::string_view app) {
    std::optional<Build> found;
    database_.read([&](Session& sql) { found = read_last_published(sql, app); });
    return found;
}

std::vector<Build> Builds::list_makers(std::string_view app, std::string_view ref,
                                       std::int64_t since, int limit) {
    std::vector<Build> builds;
    database_.read([&](Session& sql) {
        builds.clear();
        Query(sql,
              select_builds +
                  " WHERE app = ? AND state = 'published' AND finished > ? AND inputs <> ''"
                  " AND same_as = '' AND (ref = ? OR NOT (" +
                  of_proposal + ")) ORDER BY finished DESC, id DESC LIMIT ?",
              app, since, ref, limit)
            .each([&](const soci::row& row) { builds.push_back(read_build(row)); });
    });
    return builds;
}

std::vector<std::pair<BuildState, std::int64_t>> Builds::count_by_state() {
    std::vector<std::pair<BuildState, std::int64_t>> counts;
    database_.read([&](Session& sql) {
        counts.clear();
        Query(sql, "SELECT state, COUNT(*) FROM builds GROUP BY state")
            .each([&](const soci::row& row) {
                counts.emplace_back(parse_build_state(text(row, 0)), number(row, 1));
            });
    });
    return counts;
}

// Each share's builds take turns with the other shares', whose running ones count as turns that
// they had: what claim() does as long as no build ends.
QueuePlace Builds::place(std::string_view id) {
    QueuePlace place;
    database_.read([&](Session& sql) {
        place.queued =
            *Query(sql, "SELECT COUNT(*) FROM builds WHERE state = 'queued'").first_number();
        const std::string waiting =
            "WITH waiting AS (SELECT q.id, q.kind, q.last,"
            " ROW_NUMBER() OVER (PARTITION BY q.kind, q.share ORDER BY q.id) +"
            " (SELECT COUNT(*) FROM builds r WHERE r.state IN ('running', 'exporting')"
            " AND r.parked = 0 AND r.share = q.share) AS turn FROM"
            " (SELECT b.id, b.share, CASE WHEN b.created <= " +
            database_.now() +
            " - ? THEN 0 ELSE b.priority END AS kind,"
            " (SELECT MAX(s.fence) FROM builds s WHERE s.share = b.share) AS last"
            " FROM builds b WHERE b.state = 'queued') q)";
        const auto before =
            Query(sql,
                  waiting + " SELECT COUNT(*) FROM waiting mine JOIN waiting other ON"
                            " (other.kind, other.turn, other.last, other.id) <"
                            " (mine.kind, mine.turn, mine.last, mine.id) WHERE mine.id = ?",
                  usual_aging.count(), id)
                .first_number();
        const bool waits =
            Query(sql, "SELECT 1 FROM builds WHERE id = ? AND state = 'queued'", id).finds();
        if (!waits) return;
        place.ahead = *before + *Query(sql, "SELECT COUNT(*) FROM builds WHERE"
                                            " state IN ('running', 'exporting') AND parked = 0")
                                     .first_number();
    });
    return place;
}

std::optional<std::int64_t> Builds::usual_duration(std::string_view app) {
    std::int64_t sum = 0, count = 0;
    database_.read([&](Session& sql) {
        sum = count = 0;
        Query(sql,
              "SELECT started, finished FROM builds WHERE app = ? AND started > 0"
              " AND same_as = '' AND door <> 'rebase'"
              " AND state IN ('published', 'refused', 'broken')"
              " ORDER BY id DESC LIMIT 20",
              app)
            .each([&](const soci::row& row) {
                sum += number(row, 1) - number(row, 0);
                ++count;
            });
    });
    if (count == 0) return std::nullopt;
    return sum / count;
}

std::vector<Build> Builds::list_expired(std::int64_t before, int keep) {
    std::vector<Build> builds;
    database_.read([&](Session& sql) {
        builds.clear();
        Query(
            sql,
            select_builds +
                " WHERE id IN (SELECT id FROM (SELECT id, state, finished,"
                " ROW_NUMBER() OVER (PARTITION BY app ORDER BY id DESC) AS age,"
                " ROW_NUMBER() OVER (PARTITION BY app, state, CASE WHEN " +
                of_proposal +
                " THEN 1 ELSE 0 END ORDER BY finished DESC, id DESC) AS age_in_state,"
                " CASE WHEN " +
                of_proposal +
                " THEN 1 ELSE 0 END AS is_proposal FROM builds) aged WHERE finished < ? AND age > "
                "? AND"
                " state NOT IN ('received', 'queued', 'running', 'exporting') AND"
                " NOT (state = 'published' AND is_proposal = 0 AND age_in_state = 1)) ORDER BY id",
            before, keep)
            .each([&](const soci::row& row) { builds.push_back(read_build(row)); });
    });
    return builds;
}

std::vector<Build> Builds::list_open_sources() {
    std::vector<Build> found;
    database_.read([&](Session& sql) {
        found.clear();
        Query(sql, select_builds + " WHERE source_kind = 'url' AND source <> ''"
                                   " AND sealed_source = ''")
            .each([&](const soci::row& row) { found.push_back(read_build(row)); });
    });
    return found;
}

void Builds::replace_source(const Build& build) {
    database_.write([&](Session& sql) {
        Query(sql, "UPDATE builds SET source = ?, sealed_source = ? WHERE id = ?", build.source,
              build.sealed_source, build.id)
            .execute();
    });
}

} // namespace apps
