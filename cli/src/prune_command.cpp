// `slipway prune`: what the server keeps longer than its configuration says leaves.
#include "api_client.h"
#include "context.h"

#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

void prune(const Context& context, bool dry_run) {
    const auto answer = context.api().post(api_path({"prune"}), {{"dry_run", dry_run}});
    if (context.json) return print_json(answer);
    const auto kinds = member(answer, "prune");
    std::vector<Row> rows;
    for (const auto& [kind, what] : kinds.items()) {
        if (!what.is_object()) continue;
        const auto bytes = base::json::find_integer(what, "bytes").value_or(0);
        rows.push_back({kind, std::to_string(base::json::find_integer(what, "count").value_or(0)),
                        base::human_bytes(static_cast<std::uint64_t>(bytes))});
    }
    print_table({dry_run ? "WOULD LEAVE" : "LEFT", "COUNT", "SIZE"}, rows);
}

} // namespace

void add_prune(CLI::App& root, Context& context) {
    const auto dry_run = std::make_shared<bool>(false);
    auto* command = root.add_subcommand("prune", "remove old builds, logs, sources and caches now");
    command->add_flag("--dry-run", *dry_run, "say what would leave, remove nothing");
    command->callback([=, &context] { prune(context, *dry_run); });
}

} // namespace cli
