// What Scalingo's clients ask before they deploy: a session's token for the lasting one, and where
// the API is (docs/api.md).
#include "api.h"

#include "apps/tokens.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server::api {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

void exchange_token(Api& api, Call& call) {
    const auto tokens = api.site().store.tokens().list();
    const auto token = std::find_if(tokens.begin(), tokens.end(), [&](const apps::Token& each) {
        return each.id == call.principal().id;
    });
    if (token == tokens.end())
        throw Error(ErrorKind::invalid_input, "there is no token to exchange",
                    "Send one as the password.");
    call.send(
        json_reply(200, {{"token", api.sessions().make(token->hash, apps::now_milliseconds())}}));
}

void list_regions(Api& api, Call& call) {
    const auto& site = api.site();
    const Value region{{"name", "slipway"},     {"display_name", "Slipway"},
                       {"ssh", site.ssh_url()}, {"api", site.http_url},
                       {"dashboard", nullptr},  {"database_api", site.http_url},
                       {"default", true}};
    call.send(json_reply(200, {{"regions", Value::array({region})}}));
}

} // namespace

void add_scalingo_routes(http::Router& router, Api& api) {
    api.add(router, Access::any, "POST", "/v1/tokens/exchange",
            [&](Call& call) { exchange_token(api, call); });
    api.add(router, Access::any, "GET", "/v1/regions",
            [&](Call& call) { list_regions(api, call); });
}

} // namespace server::api
