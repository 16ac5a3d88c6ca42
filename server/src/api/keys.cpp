#include "api.h"
#include "shapes.h"

#include "apps/store.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::json::Value;

namespace {

void list_keys(Api& api, Call& call) {
    Value list = Value::array();
    for (const auto& key : api.site().store.list_keys()) list.push_back(shape_key(key));
    call.send(list_reply("keys", list, call.head()));
}

http::Reply add_key(Api& api, const Value& wanted) {
    const auto name = base::trim(get_text(wanted, "name"));
    if (name.empty() || name.size() > 64 || base::printable(name) != name ||
        name.find_first_of(" \t/") != std::string::npos)
        throw FieldError("name", base::quoted(name) + " is no name for a key",
                         "Use up to 64 characters without spaces or slashes.");
    const auto parsed = parse_public_key(get_text(wanted, "key"));
    const apps::Key key{name,        parsed.fingerprint,         parsed.type,
                        parsed.text, find_texts(wanted, "apps"), apps::now_milliseconds()};
    api.site().store.add_key(key);
    base::log::info("a key was added", {{"key", name}, {"fingerprint", key.fingerprint}});
    return envelope(201, "key", shape_key(key));
}

void remove_key(Api& api, Call& call) {
    const auto& name = call.parameter("name");
    api.site().store.remove_key(name);
    base::log::info("a key was removed", {{"key", name}});
    call.send({.status = 204});
}

} // namespace

void add_key_routes(http::Router& router, Api& api) {
    api.add(router, Access::server, "GET", "/v1/keys", [&](Call& call) { list_keys(api, call); });
    api.add(router, Access::server, "POST", "/v1/keys", [&](Call& call) {
        const auto wanted = open_envelope(call.read_json(), "key");
        api.send_once(call, [&] { return add_key(api, wanted); });
    });
    api.add(router, Access::server, "DELETE", "/v1/keys/{name}",
            [&](Call& call) { remove_key(api, call); });
}

} // namespace server::api
