// What leaves by age and size, on demand.
#include "api.h"

#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <map>

namespace server::api {

using base::json::Value;

namespace {

struct Sum {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
};

http::Reply answer_prune(Api& api, const Call& call, DryRun dry_run) {
    const auto report = api.site().prune(dry_run);
    std::map<std::string, Sum> sums;
    Value items = Value::array();
    for (const auto& item : report.items) {
        auto& sum = sums[item.kind];
        sum.count += item.count;
        sum.bytes += item.bytes;
        items.push_back({{"kind", item.kind},
                         {"name", item.name},
                         {"bytes", item.bytes},
                         {"reason", item.reason}});
    }
    Value kinds = Value::object();
    for (const auto& [kind, sum] : sums) kinds[kind] = {{"count", sum.count}, {"bytes", sum.bytes}};
    if (dry_run == DryRun::no)
        base::log::info("the state directory was pruned",
                        {{"by", call.principal().name}, {"bytes", std::to_string(report.bytes())}});
    return json_reply(200,
                      {{"prune", kinds}, {"items", items}, {"dry_run", dry_run == DryRun::yes}});
}

} // namespace

void add_prune_routes(http::Router& router, Api& api) {
    api.add(router, Access::server, "POST", "/v1/prune", [&](Call& call) {
        // Nothing leaves unless it is said.
        const bool dry = find_flag(call.read_json(), "dry_run", true);
        const auto dry_run = dry ? DryRun::yes : DryRun::no;
        api.send_once(call, [&] { return answer_prune(api, call, dry_run); });
    });
}

} // namespace server::api
