#include "api.h"

#include "../retention.h"

#include "base/log.h"

#include <nlohmann/json.hpp>

#include <map>

namespace server::api {
namespace {

using base::json::Value;

constexpr std::size_t most_items = 1000; // of the list; the sums count all

Value shape_report(const PruneReport& report) {
    struct Sum {
        std::uint64_t count = 0, bytes = 0;
    };
    std::map<std::string, Sum> sums;
    Value items = Value::array();
    for (const auto& item : report.items) {
        auto& sum = sums[item.kind];
        ++sum.count;
        sum.bytes += item.bytes;
        if (items.size() < most_items)
            items.push_back({{"kind", item.kind},
                             {"name", item.name},
                             {"bytes", item.bytes},
                             {"reason", item.reason}});
    }
    auto shape = Value::object();
    for (const auto& [kind, sum] : sums)
        shape[kind] = {{"count", sum.count}, {"bytes", sum.bytes}};
    return {{"kinds", shape}, {"bytes", report.bytes()}, {"items", items}};
}

} // namespace

void add_prune_routes(http::Router& router, Api& api) {
    api.add(router, Access::server, "POST", "/v1/prune", [&](Call& call) {
        const auto wanted = call.read_json();
        const auto dry_run = find_flag(wanted, "dry_run", false) ? DryRun::yes : DryRun::no;
        api.send_once(call, [&] {
            const auto report = api.site().prune(dry_run);
            base::log::info("the state was pruned", {{"by", call.principal().name},
                                                     {"dry_run", dry_run == DryRun::yes},
                                                     {"items", report.items.size()},
                                                     {"bytes", report.bytes()}});
            return envelope(200, "prune", shape_report(report));
        });
    });
}

} // namespace server::api
