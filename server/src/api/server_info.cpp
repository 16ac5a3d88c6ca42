#include "api.h"
#include "openapi.h"
#include "shapes.h"
#include "signatures.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

base::json::Value shape_self(const Principal& principal) {
    auto scopes = base::json::Value::array();
    for (const auto& scope : principal.scopes) scopes.push_back(scope.render());
    return {{"id", principal.id},
            {"username", principal.name},
            {"email", principal.name + "@localhost"},
            {"token", text_or_null(principal.is_operator ? std::string() : principal.name)},
            {"scopes", scopes}};
}

base::json::Value shape_signing_keys(const Site& site) {
    auto keys = base::json::Value::array();
    if (site.signatures)
        for (const auto& key : site.signatures->public_keys())
            keys.push_back({{"id", key.id()}, {"public_key", key.pem()}});
    return keys;
}

} // namespace

void add_server_routes(http::Router& router, Api& api) {
    api.add(router, Access::open, "GET", "/v1/openapi.json", [](Call& call) {
        call.send({200,
                   {{"Content-Type", "application/json"}, {"Cache-Control", "max-age=300"}},
                   std::string(openapi_document())});
    });
    api.add(router, Access::server, "GET", "/v1/server",
            [&](Call& call) { call.send(envelope(200, "server", shape_server(api.site()))); });
    // Public keys are: whoever is handed an image may ask who signed it.
    api.add(router, Access::open, "GET", "/v1/signing-keys", [&](Call& call) {
        call.send(envelope(200, "signing_keys", shape_signing_keys(api.site())));
    });
    api.add(router, Access::any, "GET", "/v1/users/self",
            [](Call& call) { call.send(envelope(200, "user", shape_self(call.principal()))); });
}

} // namespace server::api
