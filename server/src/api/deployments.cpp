// Scalingo's deployments: a build by another name (docs/api.md).
#include "deployment_shape.h"
#include "deployment_stream.h"
#include "submissions.h"

#include "apps/builds.h"
#include "apps/store.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

http::Reply created(const Api& api, const apps::Build& build) {
    return envelope(201, "deployment", shape_deployment(api.site(), build));
}

http::Reply make_deployment(Api& api, Call& call, const Value& body) {
    const auto wanted = open_envelope(body, "deployment");
    const auto ref = find_text(wanted, "git_ref").value_or("");
    if (ref.starts_with('-')) throw FieldError("git_ref", "git_ref may not start with a dash");
    auto wish = wish_of_url(api, get_text(wanted, "source_url"), "");
    wish.version = ref;
    return created(api, submit(api, call, wish));
}

void list_deployments(Api& api, Call& call) {
    const auto page = parse_page(call.head());
    apps::BuildFilter filter;
    filter.app = call.app().name;
    filter.limit = page.size;
    filter.offset = page.offset();
    auto& builds = api.site().store.builds();
    Value list = Value::array();
    for (const auto& build : builds.list(filter))
        list.push_back(shape_deployment(api.site(), build));
    call.send(list_reply("deployments", std::move(list), page, builds.count(filter)));
}

void send_output(Api& api, Call& call) {
    const auto file = api.site().state.log_of(call.build().id);
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0)
        throw Error(ErrorKind::not_found, "there is no log of this deployment");
    call.start(200, {{"Content-Type", "text/plain; charset=utf-8"}});
    for (std::uint64_t offset = 0;;) {
        const auto piece = read_log_file(file, offset);
        call.exchange().write(piece.text);
        offset = piece.next;
        if (piece.over || piece.text.empty()) break;
    }
    call.exchange().finish();
}

} // namespace

void add_deployment_routes(http::Router& router, Api& api) {
    api.add(router, Access::deploy, "POST", "/v1/apps/{app}/deployments", [&](Call& call) {
        const auto body = call.read_json();
        api.send_once(
            call, [&] { return make_deployment(api, call, body); },
            [&](const apps::Build& build) { return created(api, build); });
    });
    api.add(router, Access::read, "GET", "/v1/apps/{app}/deployments",
            [&](Call& call) { list_deployments(api, call); });
    api.add(router, Access::read, "GET", "/v1/apps/{app}/deployments/{build}", [&](Call& call) {
        call.send(envelope(200, "deployment", shape_deployment(api.site(), call.build())));
    });
    api.add(router, Access::read, "GET", "/v1/apps/{app}/deployments/{build}/output",
            [&](Call& call) { send_output(api, call); });
    // Whoever asks is known by the first frame: this client sends no header with it.
    api.add(router, Access::open, "GET", "/v1/apps/{app}/deployments/stream",
            [&](Call& call) { answer_deployment_stream(api, call); });
}

} // namespace server::api
