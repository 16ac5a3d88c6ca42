#include "row.h"

#include "base/json.h"

#include <nlohmann/json.hpp>
#include <soci/soci.h>

namespace apps {
namespace {

using base::json::Value;

std::string render_processes(const std::vector<ProcessType>& processes) {
    Value list = Value::array();
    for (const auto& process : processes)
        list.push_back({{"type", process.type},
                        {"command", process.command},
                        {"default", process.is_default}});
    return base::json::render(list);
}

std::vector<ProcessType> parse_processes(const std::string& text) {
    std::vector<ProcessType> processes;
    for (const auto& entry : base::json::parse(text, "a build's processes"))
        processes.push_back({base::json::get_string(entry, "type"),
                             base::json::get_string(entry, "command"),
                             base::json::find_bool(entry, "default", false)});
    return processes;
}

} // namespace

std::int64_t number(const soci::row& row, std::size_t column) {
    switch (row.get_properties(column).get_data_type()) {
    case soci::dt_integer:
        return row.get<int>(column);
    case soci::dt_long_long:
        return row.get<long long>(column);
    case soci::dt_unsigned_long_long:
        return static_cast<std::int64_t>(row.get<unsigned long long>(column));
    case soci::dt_double:
        return static_cast<std::int64_t>(row.get<double>(column));
    default:
        return std::stoll(row.get<std::string>(column));
    }
}

BuildRow::BuildRow(const Build& build)
    : state(to_string(build.state)), phases(base::json::render(Value(build.phases))),
      processes(render_processes(build.processes)), created(build.created), started(build.started),
      finished(build.finished), size(static_cast<long long>(build.size)) {}

const std::string select_builds =
    "SELECT id, app, state, source_kind, commit_id, ref, pushed_by, created, started, finished,"
    " phases, digest, reference, size, processes, reason, hint, failed_phase FROM builds";

Build read_build(const soci::row& row) {
    Build build;
    const auto text = [&row](std::size_t column) { return row.get<std::string>(column); };
    build.id = text(0);
    build.app = text(1);
    build.state = parse_build_state(text(2));
    build.source_kind = text(3);
    build.commit = text(4);
    build.ref = text(5);
    build.pushed_by = text(6);
    build.created = number(row, 7);
    build.started = number(row, 8);
    build.finished = number(row, 9);
    for (const auto& phase : base::json::parse(text(10), "a build's phases"))
        build.phases.emplace_back(phase.at(0).get<std::string>(), phase.at(1).get<std::int64_t>());
    build.digest = text(11);
    build.reference = text(12);
    build.size = static_cast<std::uint64_t>(number(row, 13));
    build.processes = parse_processes(text(14));
    build.reason = text(15);
    build.hint = text(16);
    build.failed_phase = text(17);
    return build;
}

const std::string select_keys = "SELECT name, fingerprint, type, text, added FROM keys";

Key read_key(soci::session& sql, const soci::row& row) {
    Key key;
    key.name = row.get<std::string>(0);
    key.fingerprint = row.get<std::string>(1);
    key.type = row.get<std::string>(2);
    key.text = row.get<std::string>(3);
    key.added = number(row, 4);
    const soci::rowset<std::string> apps =
        (sql.prepare << "SELECT app FROM key_apps WHERE key = :key ORDER BY app",
         soci::use(key.name));
    for (const auto& app : apps) key.apps.push_back(app);
    return key;
}

} // namespace apps
