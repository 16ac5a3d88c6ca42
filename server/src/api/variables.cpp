// Config vars over HTTP. Values leave only when they are asked for by name of the query.
#include "api.h"

#include "server/config_vars.h"

#include "base/error.h"
#include "base/log.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

Value shape_variable(const std::string& name, apps::VariableUse use, std::int64_t changed) {
    return {{"name", name}, {"use", apps::to_string(use)}, {"changed_at", time_or_null(changed)}};
}

void list_variables(Api& api, Call& call) {
    auto& variables = api.site().variables;
    Value list = Value::array();
    if (call.has_query("values")) {
        for (const auto& variable : variables.reveal(call.app().name)) {
            list.push_back(shape_variable(variable.name, variable.use, variable.changed));
            list.back()["value"] = variable.value.reveal();
        }
        base::log::info("an app's config vars were read",
                        {{"app", call.app().name}, {"by", call.principal().name}});
    } else {
        for (const auto& variable : variables.list(call.app().name))
            list.push_back(shape_variable(variable.name, variable.use, variable.changed));
    }
    call.send(json_reply(200, {{"variables", list}}));
}

ConfigVarChange parse_change(const Value& wanted) {
    if (!wanted.is_object())
        throw FieldError("variables", "each variable is an object {\"name\", \"value\"}");
    ConfigVarChange change;
    change.name = get_text(wanted, "name");
    if (const auto use = find_text(wanted, "use")) {
        try {
            change.use = apps::parse_variable_use(*use);
        } catch (const Error& error) {
            throw FieldError("use", error.message(), error.hint());
        }
    }
    const bool has_value = wanted.contains("value");
    if (const auto value = find_text(wanted, "value")) {
        change.value = base::Secret(*value);
    } else if (has_value) {
        change.action = ConfigVarChange::Action::unset;
    } else if (change.use) {
        change.action = ConfigVarChange::Action::change_use;
    } else {
        throw FieldError("value", "the variable " + change.name + " has neither a value nor a use",
                         "null as the value takes the variable away.");
    }
    return change;
}

void change_variables(Api& api, Call& call) {
    const auto body = call.read_json();
    const auto it = body.find("variables");
    if (it == body.end() || !it->is_array() || it->empty())
        throw FieldError("variables",
                         "the body must be an object {\"variables\": [{\"name\", \"value\"}]}");
    std::vector<ConfigVarChange> changes;
    for (const auto& wanted : *it) changes.push_back(parse_change(wanted));
    try {
        api.site().variables.change(call.app().name, changes);
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::invalid_input) throw;
        throw FieldError("variables", error.message(), error.hint());
    }
    base::log::info("an app's config vars were changed",
                    {{"app", call.app().name}, {"by", call.principal().name}});
    list_variables(api, call);
}

http::Reply rotate(Api& api, const Call& call) {
    const auto done = api.site().variables.rotate();
    base::log::info("the key of sealed texts was changed", {{"by", call.principal().name}});
    return envelope(200, "rotation",
                    {{"resealed", done.resealed}, {"forgot_old", done.forgot_old}});
}

} // namespace

void add_variable_routes(http::Router& router, Api& api) {
    api.add(router, Access::deploy, "GET", "/v1/apps/{app}/variables",
            [&](Call& call) { list_variables(api, call); });
    api.add(router, Access::deploy, "PATCH", "/v1/apps/{app}/variables",
            [&](Call& call) { change_variables(api, call); });
    api.add(router, Access::server, "POST", "/v1/variables/rotate", [&](Call& call) {
        call.read_json();
        api.send_once(call, [&] { return rotate(api, call); });
    });
}

} // namespace server::api
