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

constexpr std::size_t most_scopes = 100;
constexpr std::size_t shown_letters = 8; // of the text, to tell tokens in a list
constexpr std::int64_t longest_life = 10LL * 366 * 24 * 3600;

void list_tokens(Api& api, Call& call) {
    Value list = Value::array();
    for (const auto& token : api.site().store.tokens().list()) list.push_back(shape_token(token));
    call.send(list_reply("tokens", list, call.head()));
}

std::vector<apps::Scope> parse_scopes(Api& api, const Value& wanted) {
    const auto texts = find_texts(wanted, "scopes");
    if (texts.empty() || texts.size() > most_scopes)
        throw FieldError("scopes", "a token has 1 to 100 scopes",
                         "Give \"server\", \"app:NAME:deploy\", \"app:NAME:push\" or "
                         "\"app:NAME:read\".");
    std::vector<apps::Scope> scopes;
    for (const auto& text : texts) {
        try {
            scopes.push_back(apps::Scope::parse(text));
        } catch (const base::Error& error) {
            throw FieldError("scopes", error.message(), error.hint());
        }
        const auto& scope = scopes.back();
        if (!scope.server && !api.site().store.find_app(scope.app))
            throw FieldError("scopes", "there is no app " + base::quoted(scope.app));
    }
    return scopes;
}

std::int64_t parse_life(const Value& wanted) {
    const auto it = wanted.find("expires_in");
    if (it == wanted.end() || it->is_null()) return 0;
    if (!it->is_number_integer() || it->get<std::int64_t>() < 1 ||
        it->get<std::int64_t>() > longest_life)
        throw FieldError("expires_in", "\"expires_in\" is a number of seconds, at most ten years");
    return it->get<std::int64_t>();
}

http::Reply create_token(Api& api, const Call& call, const Value& wanted) {
    apps::Token token;
    token.name = base::trim(get_text(wanted, "name"));
    if (token.name.empty() || token.name.size() > 64 || base::printable(token.name) != token.name ||
        token.name.find('/') != std::string::npos)
        throw FieldError("name", base::quoted(token.name) + " is no name for a token",
                         "Use up to 64 printable characters without slashes.");
    token.scopes = parse_scopes(api, wanted);
    token.created = apps::now_milliseconds();
    if (const auto life = parse_life(wanted)) token.expires = token.created + life * 1000;
    const auto text = make_token_text();
    token.id = apps::new_id('t');
    token.prefix = text.substr(0, shown_letters);
    token.hash = hash_of_token(text);
    token.created_by = call.principal().name;
    api.site().store.tokens().add(token);
    base::log::info("a token was made", {{"token", token.name}, {"by", token.created_by}});
    auto shape = shape_token(token);
    shape["token"] = text; // here and never again
    return envelope(201, "token", std::move(shape));
}

void remove_token(Api& api, Call& call) {
    const auto& name = call.parameter("token");
    api.site().store.tokens().remove(name);
    base::log::info("a token was removed",
                    {{"token", base::printable(name)}, {"by", call.principal().name}});
    call.send({.status = 204});
}

} // namespace

void add_token_routes(http::Router& router, Api& api) {
    api.add(router, Access::server, "GET", "/v1/tokens",
            [&](Call& call) { list_tokens(api, call); });
    api.add(router, Access::server, "POST", "/v1/tokens", [&](Call& call) {
        const auto wanted = open_envelope(call.read_json(), "token");
        api.send_once(call, [&] { return create_token(api, call, wanted); });
    });
    api.add(router, Access::server, "DELETE", "/v1/tokens/{token}",
            [&](Call& call) { remove_token(api, call); });
}

} // namespace server::api
