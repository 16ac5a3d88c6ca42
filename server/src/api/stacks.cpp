#include "api.h"
#include "shapes.h"

#include "apps/store.h"
#include "image/reference.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

void list_stacks(Api& api, Call& call) {
    Value list = Value::array();
    for (const auto& stack : api.site().store.list_stacks()) list.push_back(shape_stack(stack));
    call.send(list_reply("stacks", list, call.head()));
}

void show_stack(Api& api, Call& call) {
    const auto& name = call.parameter("stack");
    const auto stack = api.site().store.find_stack(name);
    if (!stack)
        throw Error(ErrorKind::not_found, "there is no stack " + base::quoted(name),
                    "slipway stack list shows those that are there.");
    call.send(envelope(200, "stack", shape_stack(*stack)));
}

std::string parse_image(const Value& wanted, const std::string& field) {
    try {
        return image::Reference::parse(get_text(wanted, field)).render();
    } catch (const FieldError&) {
        throw;
    } catch (const Error& error) {
        throw FieldError(field, error.message(), error.hint());
    }
}

void use_stack(Api& api, Call& call) {
    const auto wanted = open_envelope(call.read_json(), "stack");
    const apps::Stack stack{call.parameter("stack"), parse_image(wanted, "build"),
                            parse_image(wanted, "run"), find_flag(wanted, "current", true)};
    if (stack.name.size() > 64 || base::printable(stack.name) != stack.name)
        throw FieldError("stack", "this is no name for a stack",
                         "Use up to 64 printable characters.");
    api.site().store.use_stack(stack);
    base::log::info(stack.current ? "a stack is used from now on" : "a stack was added",
                    {{"stack", stack.name}, {"build", stack.build}, {"run", stack.run}});
    call.send(envelope(200, "stack", shape_stack(stack)));
}

} // namespace

void add_stack_routes(http::Router& router, Api& api) {
    api.add(router, Access::server, "GET", "/v1/stacks",
            [&](Call& call) { list_stacks(api, call); });
    api.add(router, Access::server, "GET", "/v1/stacks/{stack}",
            [&](Call& call) { show_stack(api, call); });
    api.add(router, Access::server, "PUT", "/v1/stacks/{stack}",
            [&](Call& call) { use_stack(api, call); });
}

} // namespace server::api
