#include "rebase.h"

#include "apps/store.h"
#include "image/reference.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <map>

namespace server::api {

using base::Error;
using base::json::Value;

namespace {

constexpr std::size_t largest_body = 4u << 20; // names of many thousand apps

RebaseWish wish_of(const Call& call, const Value& wanted) {
    RebaseWish wish;
    wish.run = find_text(wanted, "run").value_or("");
    wish.force = find_flag(wanted, "force", false) ? builder::Force::yes : builder::Force::no;
    wish.dry_run = find_flag(wanted, "dry_run", false);
    wish.by = call.principal().name;
    if (wish.run.empty()) return wish;
    try {
        wish.run = image::Reference::parse(wish.run).render();
    } catch (const Error& error) {
        throw FieldError("run", error.message(), error.hint());
    }
    return wish;
}

// Every one when none is named.
std::vector<std::string> apps_of(const Api& api, const Value& wanted) {
    if (wanted.contains("apps") && !wanted["apps"].is_null()) return find_texts(wanted, "apps");
    std::vector<std::string> names;
    for (const auto& app : api.site().store.list_apps()) names.push_back(app.name);
    return names;
}

Value shape_rebased(const RebasedApp& one) {
    return {{"app", one.app},
            {"result", to_string(one.result)},
            {"build", text_or_null(one.build)},
            {"run", text_or_null(one.run)},
            {"from", text_or_null(one.from)},
            {"to", text_or_null(one.to)},
            {"reference", text_or_null(one.reference)},
            {"warnings", one.warnings},
            {"reason", text_or_null(one.reason)},
            {"hint", text_or_null(one.hint)}};
}

http::Reply shape_report(const std::vector<RebasedApp>& report, const RebaseWish& wish) {
    std::map<std::string, std::int64_t> counts;
    for (const auto result : {RebaseResult::rebased, RebaseResult::would_rebase,
                              RebaseResult::unchanged, RebaseResult::skipped, RebaseResult::failed})
        counts[std::string(to_string(result))] = 0;
    Value apps = Value::array();
    for (const auto& one : report) {
        ++counts[std::string(to_string(one.result))];
        apps.push_back(shape_rebased(one));
    }
    return envelope(200, "rebase",
                    {{"dry_run", wish.dry_run}, {"counts", counts}, {"apps", std::move(apps)}});
}

void rebase_many(Api& api, Call& call, Rebases& rebases) {
    const auto wanted = open_envelope(call.read_json(largest_body), "rebase");
    const auto wish = wish_of(call, wanted);
    const auto apps = apps_of(api, wanted);
    api.send_once(call, [&] { return shape_report(rebases.run(apps, wish, call.stop()), wish); });
}

// Whoever may deploy one app must not read another's layers, nor have the server call strangers.
void rebase_one(Api& api, Call& call, Rebases& rebases) {
    const auto wish = wish_of(call, open_envelope(call.read_json(), "rebase"));
    if (!wish.run.empty() && !call.principal().is_server()) rebases.check_for_everybody(wish.run);
    api.send_once(call, [&] {
        const auto report = rebases.run({call.app().name}, wish, call.stop());
        return envelope(200, "rebase", shape_rebased(report.front()));
    });
}

} // namespace

void add_rebase_routes(http::Router& router, Api& api, Rebases& rebases) {
    api.add(router, Access::server, "POST", "/v1/rebase",
            [&](Call& call) { rebase_many(api, call, rebases); });
    api.add(router, Access::deploy, "POST", "/v1/apps/{app}/rebase",
            [&](Call& call) { rebase_one(api, call, rebases); });
}

} // namespace server::api
