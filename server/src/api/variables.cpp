#include "api.h"

#include "server/config_vars.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

constexpr std::size_t most_changes = 1000;

Value shape_variable(const apps::Variable& variable) {
    return {{"name", variable.name},
            {"use", apps::to_string(variable.use)},
            {"changed_at", time_or_null(variable.changed)}};
}

// Values are bytes; JSON takes those that are UTF-8. The others are shown as what they would be in
// a log, so that one of them does not hide the rest.
std::string showable(const std::string& value) {
    try {
        [[maybe_unused]] const auto tried = Value(value).dump();
        return value;
    } catch (const Value::exception&) {
        return base::printable(value);
    }
}

void list_variables(Api& api, Call& call) {
    auto& variables = api.site().variables;
    Value list = Value::array();
    if (call.has_query("values")) {
        base::log::info("config vars were shown",
                        {{"app", call.app().name}, {"to", call.principal().name}});
        for (const auto& variable : variables.reveal(call.app().name)) {
            list.push_back(shape_variable({variable.name, {}, variable.use, variable.changed}));
            list.back()["value"] = showable(variable.value.reveal());
        }
    } else {
        for (const auto& variable : variables.list(call.app().name))
            list.push_back(shape_variable(variable));
    }
    call.send(list_reply("variables", list, call.head()));
}

ConfigVarChange parse_change(const Value& wanted) {
    ConfigVarChange change;
    change.name = get_text(wanted, "name");
    if (const auto use = find_text(wanted, "use")) change.use = apps::parse_variable_use(*use);
    const auto value = wanted.find("value");
    if (value == wanted.end()) {
        if (!change.use)
            throw FieldError("value", "a value is missing for " + base::quoted(change.name),
                             "Give a text, or null to remove the config var.");
        change.action = ConfigVarChange::Action::change_use;
    } else if (value->is_null()) {
        change.action = ConfigVarChange::Action::unset;
    } else if (value->is_string()) {
        change.value = base::Secret(value->get<std::string>());
    } else {
        throw FieldError("value", "the value of " + base::quoted(change.name) + " must be a text");
    }
    return change;
}

// What the checks refuse is the sender's to mend: the field is named, a value never.
template <class F>
auto of_field(const char* field, F&& f) {
    try {
        return f();
    } catch (const FieldError&) {
        throw;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::invalid_input && error.kind() != ErrorKind::limit_exceeded)
            throw;
        throw FieldError(field, error.message(), error.hint());
    }
}

void change_variables(Api& api, Call& call) {
    const auto body = call.read_json();
    const auto wanted = body.find("variables");
    if (wanted == body.end() || !wanted->is_array() || wanted->empty() ||
        wanted->size() > most_changes)
        throw FieldError("variables", "\"variables\" must be a list of 1 to " +
                                          std::to_string(most_changes) + " changes");
    std::vector<ConfigVarChange> changes;
    std::string names;
    for (const auto& one : *wanted) {
        if (!one.is_object())
            throw FieldError("variables", "each of \"variables\" must be an object",
                             "{\"name\": \"KEY\", \"value\": \"text\"}");
        changes.push_back(of_field("variables", [&] { return parse_change(one); }));
        names += (names.empty() ? "" : " ") + changes.back().name;
    }
    const auto& app = call.app().name;
    of_field("variables", [&] { api.site().variables.change(app, changes); });
    base::log::info(
        "config vars were changed",
        {{"app", app}, {"names", base::printable(names)}, {"by", call.principal().name}});
    Value list = Value::array();
    for (const auto& variable : api.site().variables.list(app))
        list.push_back(shape_variable(variable));
    call.send(json_reply(200, {{"variables", list}}));
}

http::Reply rotate(Api& api, const Call& call) {
    const auto rotation = api.site().variables.rotate();
    base::log::info("secrets were sealed anew",
                    {{"texts", std::to_string(rotation.resealed)}, {"by", call.principal().name}});
    return envelope(200, "rotation",
                    {{"resealed", rotation.resealed},
                     {"old_keys", rotation.forgot_old ? "forgotten" : "kept"}});
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
