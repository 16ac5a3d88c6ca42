#include "api.h"
#include "shapes.h"
#include "submissions.h"

#include "../build_records.h"

#include "apps/store.h"

#include "base/error.h"
#include "base/log.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

void answer_log(Api& api, Call& call); // build_log.cpp

namespace {

void list_builds(Api& api, Call& call, apps::BuildFilter filter) {
    const auto page = parse_page(call.head());
    if (const auto state = call.query("state")) {
        try {
            filter.state = apps::parse_build_state(*state);
        } catch (const Error& error) {
            throw FieldError("state", error.message(), error.hint());
        }
    }
    filter.limit = page.size;
    filter.offset = page.offset();
    auto& builds = api.site().store.builds();
    Value list = Value::array();
    for (const auto& build : builds.list(filter)) list.push_back(shape_build(build));
    call.send(list_reply("builds", std::move(list), page, builds.count(filter)));
}

void list_all(Api& api, Call& call) {
    apps::BuildFilter filter;
    if (!call.principal().is_server()) {
        filter.apps = call.principal().apps();
        // An empty list would mean every app.
        if (filter.apps.empty())
            return call.send(list_reply("builds", Value::array(), parse_page(call.head()), 0));
    }
    list_builds(api, call, std::move(filter));
}

// Where a waiting build stands, and when it will probably start.
Value shape_queue(Api& api, const apps::Build& build) {
    if (build.state != apps::BuildState::queued && build.state != apps::BuildState::received)
        return nullptr;
    const auto standing = api.site().queue.standing(build.id);
    return {{"ahead", standing.ahead},
            {"estimate_seconds",
             standing.estimate ? Value(standing.estimate->count()) : Value(nullptr)}};
}

void show_build(Api& api, Call& call) {
    auto shape = shape_build(call.build());
    shape["queue"] = shape_queue(api, call.build());
    call.send(envelope(200, "build", std::move(shape)));
}

void list_records(Api& api, Call& call) {
    call.send(json_reply(200, {{"records", read_records(api.site().state.logs(), call.build().id,
                                                        call.parameter("record"))}}));
}

} // namespace

void add_build_routes(http::Router& router, Api& api) {
    api.add(router, Access::any, "GET", "/v1/builds", [&](Call& call) { list_all(api, call); });
    api.add(router, Access::read, "GET", "/v1/apps/{app}/builds", [&](Call& call) {
        apps::BuildFilter filter;
        filter.app = call.app().name;
        list_builds(api, call, std::move(filter));
    });
    api.add(router, Access::read, "GET", "/v1/builds/{build}",
            [&](Call& call) { show_build(api, call); });
    api.add(router, Access::deploy, "POST", "/v1/builds/{build}/cancel", [&](Call& call) {
        call.read_json();
        api.send_once(call,
                      [&] { return envelope(202, "build", shape_build(cancel_build(api, call))); });
    });
    api.add(router, Access::read, "GET", "/v1/builds/{build}/log",
            [&](Call& call) { answer_log(api, call); });
    api.add(router, Access::read, "GET", "/v1/builds/{build}/records/{record}",
            [&](Call& call) { list_records(api, call); });
}

} // namespace server::api
