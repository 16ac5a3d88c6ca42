// Heroku's build API: a build by another name, under paths without a version (docs/api.md).
#include "answers.h"
#include "submissions.h"

#include "apps/builds.h"
#include "apps/store.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

using apps::BuildState;
using base::Error;
using base::ErrorKind;
using base::json::Value;

std::string_view heroku_status(BuildState state) noexcept {
    if (!apps::is_over(state)) return "pending";
    const bool good = state == BuildState::published || state == BuildState::detected;
    return good ? "succeeded" : "failed";
}

Value shape_heroku_build(const Site& site, const apps::Build& build) {
    const auto who = build.pushed_by.empty() ? std::string("unknown") : build.pushed_by;
    const auto version = build.commit.empty() ? Value(nullptr) : Value(build.commit);
    return {{"id", build.id},
            {"app", {{"id", build.app}, {"name", build.app}}},
            {"created_at", time_or_null(build.created)},
            {"updated_at", time_or_null(std::max({build.created, build.started, build.finished}))},
            {"status", heroku_status(build.state)},
            {"stack", nullptr},
            {"slug", nullptr},
            {"release", nullptr},
            {"buildpacks", Value::array()},
            {"output_stream_url", site.http_url + "/v1/builds/" + build.id + "/log?follow"},
            {"source_blob",
             {{"checksum", nullptr},
              {"url", nullptr},
              {"version", version},
              {"version_description", nullptr}}},
            {"user", {{"id", who}, {"email", who + "@localhost"}}},
            {"oci_image", text_or_null(build.reference)},
            {"digest", text_or_null(build.digest)}};
}

http::Reply created(const Api& api, const apps::Build& build) {
    return json_reply(201, shape_heroku_build(api.site(), build));
}

http::Reply make_build(Api& api, Call& call, const Value& body) {
    const auto blob = open_envelope(body, "source_blob");
    auto wish = wish_of_url(api, get_text(blob, "url"), find_text(blob, "checksum").value_or(""));
    wish.version = find_text(blob, "version").value_or("");
    if (const auto it = body.find("buildpacks"); it != body.end() && it->is_array())
        for (const auto& buildpack : *it) {
            const auto url = find_text(buildpack, "url"), name = find_text(buildpack, "name");
            if (!url && !name) throw FieldError("buildpacks", "a buildpack has a url or a name");
            wish.options.buildpacks.push_back(url ? *url : *name);
        }
    check_buildpacks("buildpacks", wish.options.buildpacks);
    return created(api, submit(api, call, std::move(wish)));
}

// A bare array, as Heroku has it; the page is asked for as of our own lists.
void list_builds(Api& api, Call& call) {
    const auto page = parse_page(call.head());
    apps::BuildFilter filter;
    filter.app = call.app().name;
    filter.limit = page.size;
    filter.offset = page.offset();
    Value list = Value::array();
    for (const auto& build : api.site().store.builds().list(filter))
        list.push_back(shape_heroku_build(api.site(), build));
    call.send(json_reply(200, list));
}

void cancel(Api& api, Call& call) {
    const auto build = cancel_build(api, call);
    call.send(json_reply(200, shape_heroku_build(api.site(), build)));
}

void clear_cache(Api& api, Call& call) {
    api.clear_cache(call);
    call.send(json_reply(200, {{"app", {{"id", call.app().name}, {"name", call.app().name}}}}));
}

} // namespace

void add_heroku_routes(http::Router& router, Api& api) {
    api.add(router, Access::deploy, "POST", "/apps/{app}/builds", [&](Call& call) {
        const auto body = call.read_json();
        api.send_once(
            call, [&] { return make_build(api, call, body); },
            [&](const apps::Build& build) { return created(api, build); });
    });
    api.add(router, Access::read, "GET", "/apps/{app}/builds",
            [&](Call& call) { list_builds(api, call); });
    api.add(router, Access::read, "GET", "/apps/{app}/builds/{build}", [&](Call& call) {
        call.send(json_reply(200, shape_heroku_build(api.site(), call.build())));
    });
    api.add(router, Access::deploy, "DELETE", "/apps/{app}/builds/{build}",
            [&](Call& call) { cancel(api, call); });
    api.add(router, Access::deploy, "DELETE", "/apps/{app}/build-cache",
            [&](Call& call) { clear_cache(api, call); });
}

} // namespace server::api
