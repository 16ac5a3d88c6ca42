#include "row.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

namespace apps {
namespace {

using base::json::Value;

std::vector<ProcessType> parse_processes(const std::string& text) {
    std::vector<ProcessType> processes;
    for (const auto& entry : base::json::parse(text, "a build's processes"))
        processes.push_back({base::json::get_string(entry, "type"),
                             base::json::get_string(entry, "command"),
                             base::json::find_bool(entry, "default", false)});
    return processes;
}

} // namespace

// An app may be called as an owner is.
std::string share_of(const Build& build) {
    return build.owner.empty() ? "app/" + build.app : "owner/" + build.owner;
}

std::string render_phases(const Build& build) {
    return base::json::render(Value(build.phases));
}

std::string render_processes(const Build& build) {
    Value list = Value::array();
    for (const auto& process : build.processes)
        list.push_back({{"type", process.type},
                        {"command", process.command},
                        {"default", process.is_default}});
    return base::json::render(list);
}

const std::string of_proposal = "ref LIKE 'refs/pull/%' OR ref LIKE 'refs/merge-requests/%'";

const std::string age_of_source = "(CASE WHEN retry_of = '' THEN id ELSE retry_of END)";
const std::string queued_builds = "state = 'queued'";
const std::string parked_builds = "state = 'exporting' AND parked > 0";
const std::string select_builds =
    "SELECT id, app, state, source_kind, commit_id, ref, pushed_by, created, started, finished,"
    " phases, digest, reference, size, processes, reason, hint, failed_phase, door, owner,"
    " priority, source, durable, options, sealed, hook, previous, attempt, worker,"
    " sealed_source, inputs, same_as, kept, parked, retry_of FROM builds";

Build read_build(const soci::row& row) {
    Build build;
    build.id = text(row, 0);
    build.app = text(row, 1);
    build.state = parse_build_state(text(row, 2));
    build.source_kind = text(row, 3);
    build.commit = text(row, 4);
    build.ref = text(row, 5);
    build.pushed_by = text(row, 6);
    build.created = number(row, 7);
    build.started = number(row, 8);
    build.finished = number(row, 9);
    for (const auto& phase : base::json::parse(text(row, 10), "a build's phases"))
        build.phases.emplace_back(phase.at(0).get<std::string>(), phase.at(1).get<std::int64_t>());
    build.digest = text(row, 11);
    build.reference = text(row, 12);
    build.size = static_cast<std::uint64_t>(number(row, 13));
    build.processes = parse_processes(text(row, 14));
    build.reason = text(row, 15);
    build.hint = text(row, 16);
    build.failed_phase = text(row, 17);
    build.door = text(row, 18);
    build.owner = text(row, 19);
    build.priority = static_cast<int>(number(row, 20));
    build.source = text(row, 21);
    build.durable = number(row, 22) != 0;
    build.options = text(row, 23);
    build.sealed = text(row, 24);
    build.hook = text(row, 25);
    build.previous = text(row, 26);
    build.attempt = static_cast<int>(number(row, 27));
    build.worker = text(row, 28);
    build.sealed_source = text(row, 29);
    build.inputs = text(row, 30);
    build.same_as = text(row, 31);
    build.kept = number(row, 32) != 0;
    build.tries_again = number(row, 33);
    build.retry_of = text(row, 34);
    return build;
}

std::optional<Build> read_last_published(Session& sql, std::string_view app) {
    return Query(sql,
                 select_builds + " WHERE app = ? AND state = 'published' AND NOT (" + of_proposal +
                     ") ORDER BY finished DESC, id DESC LIMIT 1",
                 app)
        .first(read_build);
}

std::string same_tag(Session& sql, std::string_view build) {
    const bool proposal =
        Query(sql, "SELECT 1 FROM builds WHERE id = ? AND (" + of_proposal + ")", build).finds();
    return proposal ? std::string("ref = ?") : "(ref = ? OR NOT (" + of_proposal + "))";
}

bool supersede_build(Session& sql, const std::string& now, std::string_view build,
                     const std::string& condition, std::string_view reason) {
    return Query(sql,
                 "UPDATE builds SET state = 'superseded', parked = 0, reason = ?, hint = '',"
                 " finished = " +
                     now + " WHERE id = ? AND " + condition,
                 reason, build)
        .changes();
}

std::int64_t next_fence(Session& sql) {
    return *Query(sql, "SELECT MAX(fence) FROM builds").first_number() + 1;
}

void insert_build(Session& sql, const Build& build, std::string_view once) {
    Query(sql,
          "INSERT INTO builds (id, app, state, source_kind, commit_id, ref, pushed_by, created,"
          " started, finished, phases, digest, reference, size, processes, reason, hint,"
          " failed_phase, door, owner, priority, source, durable, options, sealed, hook, previous,"
          " attempt, worker, inputs, same_as, share, once_key, sealed_source,"
          " retry_of) VALUES " +
              placeholders(35),
          build.id, build.app, to_string(build.state), build.source_kind, build.commit, build.ref,
          build.pushed_by, build.created, build.started, build.finished, render_phases(build),
          build.digest, build.reference, build.size, render_processes(build), build.reason,
          build.hint, build.failed_phase, build.door, build.owner, build.priority, build.source,
          build.durable, build.options, build.sealed, build.hook, build.previous, build.attempt,
          build.worker, build.inputs, build.same_as, share_of(build), once, build.sealed_source,
          build.retry_of)
        .execute();
}

bool update_build(Session& sql, const Build& build, std::optional<std::int64_t> fence) {
    std::string statement = "UPDATE builds SET state = ?, source_kind = ?, commit_id = ?, ref = ?,"
                            " pushed_by = ?, started = ?, finished = ?, phases = ?, digest = ?,"
                            " reference = ?, size = ?, processes = ?, inputs = ?, same_as = ?,"
                            " reason = ?, hint = ?, failed_phase = ? WHERE id = ?";
    if (fence) statement += " AND fence = ? AND state IN ('running', 'exporting') AND parked = 0";
    Query query(sql, statement, to_string(build.state), build.source_kind, build.commit, build.ref,
                build.pushed_by, build.started, build.finished, render_phases(build), build.digest,
                build.reference, build.size, render_processes(build), build.inputs, build.same_as,
                build.reason, build.hint, build.failed_phase, build.id);
    if (fence) query.bind(*fence);
    return query.changes();
}

const std::string select_keys = "SELECT name, fingerprint, type, text, added FROM keys";

Key read_key(Session& sql, const soci::row& row) {
    Key key;
    key.name = text(row, 0);
    key.fingerprint = text(row, 1);
    key.type = text(row, 2);
    key.text = text(row, 3);
    key.added = number(row, 4);
    Query(sql, "SELECT app FROM key_apps WHERE key = ? ORDER BY app", key.name)
        .each([&](const soci::row& app) { key.apps.push_back(text(app, 0)); });
    return key;
}

} // namespace apps
