// Docker's token protocol: a client that the registry refused brings a token of this API as its
// password, and gets one for the registry, for a few minutes and for what it may do there. Anybody
// else's repository, and one that is not there, is left out of it without a word.
#include "api.h"

#include "../registry_tokens.h"

#include "apps/store.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "http/form.h"

#include <nlohmann/json.hpp>

#include <map>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr std::size_t longest_form = 64u << 10;

struct Wanted {
    std::string password; // empty: it brings none
    std::vector<RegistryScope> scopes;
    bool offline = false; // also something to come back with
};

// Who asks, and what it may do.
struct Caller {
    std::string name;
    MayInRegistry may;
};

// As the registry itself says them: these clients read no other form.
http::Reply refuse(int status, const char* code, const std::string& message) {
    auto reply =
        json_reply(status, {{"errors", Value::array({{{"code", code}, {"message", message}}})}});
    if (status == 401)
        reply.headers.emplace_back("WWW-Authenticate", "Basic realm=\"slipway registry\"");
    return reply;
}

void take_field(Wanted& wanted, const std::string& name, const std::string& value) {
    if (name == "scope")
        for (auto& scope : parse_registry_scopes(value)) wanted.scopes.push_back(std::move(scope));
    if (name == "service" && !value.empty() && value != RegistryTokens::service)
        throw Error(ErrorKind::invalid_input, "this server gives no tokens for the service " +
                                                  base::quoted(value.substr(0, 100)));
    if (name == "offline_token") wanted.offline = value == "true";
    if (name == "access_type") wanted.offline = value == "offline";
}

Wanted read_query(const Call& call) {
    Wanted wanted;
    for (const auto& [name, value] : http::parse_form(http::query_of(call.head().target)))
        take_field(wanted, name, value);
    wanted.password = password_of(call.head());
    return wanted;
}

Wanted read_form(Call& call) {
    Wanted wanted;
    std::map<std::string, std::string> fields;
    for (const auto& [name, value] :
         http::parse_form(call.exchange().read_whole_body(longest_form))) {
        take_field(wanted, name, value);
        fields[name] = value;
    }
    const auto kind = fields["grant_type"];
    if (kind != "password" && kind != "refresh_token")
        throw Error(ErrorKind::invalid_input,
                    "\"grant_type\" is \"password\" or \"refresh_token\"");
    wanted.password = fields[kind];
    return wanted;
}

bool pulls_or_pushes(const std::string& action) {
    return action == "pull" || action == "push";
}

// Repositories of no app are the operator's: stacks, buildpacks, images to start from. Builds read
// them all, and no app's but their own; what a destroyed app has left is nobody's.
MayInRegistry rights_of_build(const Site& site, const apps::Build& build) {
    const auto app = site.store.find_app(build.app);
    const auto own = app ? site.registry.repository_of(*app) : std::string();
    return [own, &store = site.store](const RegistryScope& scope, const std::string& action) {
        if (scope.type != "repository") return false;
        if (scope.name == own) return pulls_or_pushes(action);
        return action == "pull" && !store.find_app_of_repository(scope.name) &&
               !store.is_leaving(scope.name);
    };
}

MayInRegistry rights_of_token(const Site& site, const Principal& who) {
    std::map<std::string, bool> pushes; // by repository
    for (const auto& scope : who.scopes) {
        const auto app = scope.server ? std::nullopt : site.store.find_app(scope.app);
        if (app) pushes[site.registry.repository_of(*app)] |= scope.right != apps::Right::read;
    }
    return [pushes, everything = who.is_server(), &store = site.store](const RegistryScope& scope,
                                                                       const std::string& action) {
        if (scope.type != "repository" || !pulls_or_pushes(action)) return false;
        if (everything) return !store.is_leaving(scope.name);
        const auto found = pushes.find(scope.name);
        return found != pushes.end() && (action == "pull" || found->second);
    };
}

// Two secrets are no tokens of the API: the server's own, and a build's, which ends with the build.
Caller identify(Api& api, const Call& call, const RegistryTokens& tokens,
                const std::string& password) {
    const auto& site = api.site();
    if (tokens.is_own_password(password))
        return {"server", [](const RegistryScope&, const std::string&) { return true; }};
    if (const auto id = tokens.build_of_secret(password)) {
        const auto build = site.store.builds().find(*id);
        if (!build || apps::is_over(build->state))
            throw Error(ErrorKind::unauthenticated, "the build is over");
        return {"build " + *id, rights_of_build(site, *build)};
    }
    const auto who = api.identify(call.head(), password);
    return {who.name, rights_of_token(site, who)};
}

Value render_grant(const RegistryTokens& tokens, const std::string& subject,
                   const std::vector<RegistryScope>& access) {
    const auto now = apps::now_milliseconds();
    const auto text = tokens.make(subject, access, now);
    std::string scope;
    for (const auto& one : access) scope += (scope.empty() ? "" : " ") + one.render();
    return {{"token", text}, // the older name of
            {"access_token", text},
            {"scope", scope},
            {"expires_in", RegistryTokens::lifetime.count()},
            {"issued_at", time_or_null(now)}};
}

http::Reply give_token(Api& api, Call& call) {
    const auto* tokens = api.site().registry.tokens;
    if (!tokens) throw Error(ErrorKind::not_found, "this server runs no registry of its own");
    const auto wanted = call.head().method == "POST" ? read_form(call) : read_query(call);
    if (wanted.password.empty())
        return refuse(401, "UNAUTHORIZED",
                      "this registry wants a login: any user name, and a token of the API as "
                      "the password");
    const auto caller = identify(api, call, *tokens, wanted.password);
    const auto access = intersect(wanted.scopes, caller.may);
    auto grant = render_grant(*tokens, caller.name, access);
    // What docker login keeps in place of the password: the same token again.
    if (wanted.offline) grant["refresh_token"] = wanted.password;
    base::log::debug("a token for the registry was given",
                     {{"to", caller.name},
                      {"scope", base::json::get_string(grant, "scope")},
                      {"request", call.head().id}});
    return json_reply(200, grant);
}

// The API's own errors in the form of the registry's.
http::Reply answer(Api& api, Call& call) {
    try {
        return give_token(api, call);
    } catch (const Busy& busy) {
        auto reply = refuse(429, "TOOMANYREQUESTS", busy.message());
        reply.headers.emplace_back("Retry-After", std::to_string(busy.retry_after().count()));
        return reply;
    } catch (const Error& error) {
        if (error.kind() == ErrorKind::unauthenticated)
            return refuse(401, "UNAUTHORIZED", error.message());
        if (error.kind() == ErrorKind::invalid_input)
            return refuse(400, "UNSUPPORTED", error.message());
        throw;
    }
}

} // namespace

void add_registry_routes(http::Router& router, Api& api) {
    for (const char* method : {"GET", "POST"})
        api.add(router, Access::open, method, "/registry/token",
                [&](Call& call) { call.send(answer(api, call)); });
}

} // namespace server::api
