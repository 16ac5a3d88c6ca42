#include "control.h"

#include "build_records.h"
#include "render.h"

#include "image/reference.h"
#include "receiver/app_name.h"

#include "base/error.h"
#include "base/log.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <poll.h>

namespace server {

using base::Error;
using base::ErrorKind;
using base::json::find_integer;
using base::json::find_string;
using base::json::get_string;

base::json::Value Control::answer(const Value& request, wire::Exchange& exchange,
                                  const base::Stop& stop) {
    const auto verb = get_string(request, "verb");
    if (verb == "server.info") return render_info(site_);
    if (verb == "apps.create") return create_app(request);
    if (verb == "apps.list") return list_apps();
    if (verb == "apps.info") return app_info(request);
    if (verb == "apps.destroy") return destroy_app(request);
    if (verb == "apps.buildpacks") return app_buildpacks(request);
    if (verb == "apps.stack") return app_stack(request);
    if (verb == "keys.add") return add_key(request);
    if (verb == "keys.list") return list_keys();
    if (verb == "keys.remove") return remove_key(request);
    if (verb == "builds.list") return list_builds(request);
    if (verb == "builds.info") return build_info(request);
    if (verb == "builds.log") return build_log(request, exchange, stop);
    if (verb == "builds.cancel") return cancel_build(request);
    if (verb == "builds.records") return build_records(request);
    if (verb == "builds.clear_cache") return clear_cache(request);
    if (verb == "stack.list") return list_stacks();
    if (verb == "stack.info") return stack_info(request);
    if (verb == "stack.use") return use_stack(request);
    throw Error(ErrorKind::invalid_input, "there is no verb " + base::quoted(verb),
                "Is the server older than this program?");
}

apps::App Control::get_app(const Value& request) {
    const auto name = get_string(request, "app");
    if (const auto app = site_.store.find_app(name)) return *app;
    throw Error(ErrorKind::not_found, "there is no app " + base::quoted(name),
                "slipway apps list shows those that are there.");
}

base::json::Value Control::create_app(const Value& request) {
    const auto name = get_string(request, "app");
    if (!receiver::is_app_name(name))
        throw Error(ErrorKind::invalid_input, base::quoted(name) + " is no name for an app",
                    "Use 1 to 48 of a-z, 0-9, '-' and '.', a letter or a digit at both ends.");
    const std::lock_guard one_at_a_time(apps_change_);
    if (site_.store.find_app(name))
        throw Error(ErrorKind::already_exists,
                    "there is an app " + base::quoted(name) + " already");
    // The repository first: one without a row is found by nobody, and made anew by the next try.
    site_.repositories.remove(name);
    site_.repositories.create(name);
    const apps::App app{name, apps::now_milliseconds()};
    site_.store.add_app(app);
    base::log::info("an app was created", {{"app", name}});
    return render_app(site_, app);
}

base::json::Value Control::list_apps() {
    Value list = Value::array();
    for (const auto& app : site_.store.list_apps()) list.push_back(render_app(site_, app));
    return {{"apps", list}};
}

base::json::Value Control::app_info(const Value& request) {
    return render_app(site_, get_app(request));
}

base::json::Value Control::destroy_app(const Value& request) {
    const auto app = get_app(request);
    if (find_string(request, "confirm").value_or("") != app.name)
        throw Error(ErrorKind::invalid_input, "the app's name must be given again to confirm");
    if (site_.queue.has_builds_of(app.name))
        throw Error(ErrorKind::already_exists, "a build of " + app.name + " is running",
                    "Wait for it, or stop it with: slipway builds cancel BUILD");
    const std::lock_guard one_at_a_time(apps_change_);
    const auto builds = site_.store.list_builds({.app = app.name, .limit = 1'000'000});
    site_.store.remove_app(app.name);
    site_.repositories.remove(app.name);
    base::remove_tree(site_.state.caches() / app.name);
    for (const auto& build : builds) {
        base::remove_tree(site_.state.log_of(build.id));
        remove_records(site_.state.logs(), build.id);
    }
    base::log::info("an app was destroyed", {{"app", app.name}});
    return {{"app", app.name}};
}

base::json::Value Control::add_key(const Value& request) {
    const auto name = base::trim(get_string(request, "name"));
    if (name.empty() || name.size() > 64 || base::printable(name) != name ||
        name.find_first_of(" \t/") != std::string::npos)
        throw Error(ErrorKind::invalid_input, base::quoted(name) + " is no name for a key",
                    "Use up to 64 characters without spaces or slashes.");
    const auto parsed = parse_public_key(get_string(request, "key"));
    const apps::Key key{name,
                        parsed.fingerprint,
                        parsed.type,
                        parsed.text,
                        base::json::get_strings(request, "apps"),
                        apps::now_milliseconds()};
    site_.store.add_key(key);
    base::log::info("a key was added", {{"key", name}, {"fingerprint", key.fingerprint}});
    return render_key(key);
}

base::json::Value Control::list_keys() {
    Value list = Value::array();
    for (const auto& key : site_.store.list_keys()) list.push_back(render_key(key));
    return {{"keys", list}};
}

base::json::Value Control::remove_key(const Value& request) {
    const auto name = get_string(request, "name");
    site_.store.remove_key(name);
    base::log::info("a key was removed", {{"key", name}});
    return {{"name", name}};
}

apps::Build Control::get_build(const Value& request) {
    const auto id = get_string(request, "build");
    if (const auto build = site_.store.find_build(id)) return *build;
    throw Error(ErrorKind::not_found, "there is no build " + base::quoted(id),
                "slipway builds list shows those that are there.");
}

base::json::Value Control::list_builds(const Value& request) {
    apps::BuildFilter filter;
    filter.app = find_string(request, "app").value_or("");
    if (!filter.app.empty()) get_app(request);
    filter.limit = static_cast<int>(
        std::clamp<std::int64_t>(find_integer(request, "limit").value_or(50), 1, 1000));
    Value list = Value::array();
    for (const auto& build : site_.store.list_builds(filter)) list.push_back(render_build(build));
    return {{"builds", list}};
}

base::json::Value Control::build_info(const Value& request) {
    return render_build(get_build(request));
}

base::json::Value Control::build_log(const Value& request, wire::Exchange& exchange,
                                     const base::Stop& stop) {
    const auto build = get_build(request);
    auto offset = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, find_integer(request, "offset").value_or(0)));
    const auto live = site_.queue.find(build.id);
    if (live && base::json::find_bool(request, "follow", false)) {
        follow_log(*live, offset, exchange, stop);
        return render_build(get_build(request));
    }
    for (;;) {
        const auto piece = read_log_file(site_.state.log_of(build.id), offset);
        offset = piece.next;
        if (!piece.text.empty())
            exchange.send_event({{"text", piece.text}, {"offset", offset}}, stop);
        if (piece.over) return render_build(get_build(request)); // it may have ended meanwhile
    }
}

void Control::follow_log(LiveBuild& build, std::uint64_t offset, wire::Exchange& exchange,
                         const base::Stop& stop) {
    const auto follower = build.log().follow();
    for (;;) {
        follower->clear();
        const auto piece = build.log().read(offset);
        offset = piece.next;
        if (!piece.text.empty())
            exchange.send_event({{"text", piece.text}, {"offset", offset}}, stop);
        if (piece.over) return;
        if (!piece.text.empty()) continue;
        pollfd fds[] = {
            {follower->fd(), POLLIN, 0}, {exchange.fd(), POLLRDHUP, 0}, {stop.fd(), POLLIN, 0}};
        ::poll(fds, 3, -1);
        stop.throw_if_over("following the log");
        if (exchange.peer_left()) throw Error(ErrorKind::unavailable, "the reader left");
    }
}

base::json::Value Control::cancel_build(const Value& request) {
    const auto build = get_build(request);
    if (!site_.queue.cancel(build.id, "it was cancelled by the server's operator"))
        throw Error(ErrorKind::already_exists,
                    "build " + build.id + " has ended: it is " +
                        std::string(apps::to_string(get_build(request).state)));
    return {{"build", build.id}};
}

base::json::Value Control::list_stacks() {
    Value list = Value::array();
    for (const auto& stack : site_.store.list_stacks()) list.push_back(render_stack(stack));
    return {{"stacks", list}};
}

base::json::Value Control::stack_info(const Value& request) {
    const auto name = find_string(request, "name");
    const auto stack = name ? site_.store.find_stack(*name) : site_.store.current_stack();
    if (stack) return render_stack(*stack);
    if (name) throw Error(ErrorKind::not_found, "there is no stack " + base::quoted(*name));
    throw Error(ErrorKind::not_found, "there is no stack yet",
                "Make one with: slipway stack create debian-12");
}

base::json::Value Control::use_stack(const Value& request) {
    apps::Stack stack{get_string(request, "name"), get_string(request, "build"),
                      get_string(request, "run"), base::json::find_bool(request, "current", true)};
    if (stack.name.empty() || stack.name.size() > 64 || base::printable(stack.name) != stack.name)
        throw Error(ErrorKind::invalid_input, "this is no name for a stack");
    for (auto* reference : {&stack.build, &stack.run})
        *reference = image::Reference::parse(*reference).render();
    site_.store.use_stack(stack);
    base::log::info(stack.current ? "a stack is used from now on" : "a stack was added",
                    {{"stack", stack.name}, {"build", stack.build}, {"run", stack.run}});
    return render_stack(stack);
}

} // namespace server
