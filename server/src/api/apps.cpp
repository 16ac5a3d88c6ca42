#include "api.h"
#include "shapes.h"
#include "submissions.h"

#include "../build_records.h"
#include "../leaving_images.h"
#include "../registry_child.h"
#include "../registry_files.h"
#include "../registry_scope.h"

#include "apps/store.h"
#include "receiver/app_name.h"

#include "base/error.h"
#include "base/log.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server::api {

using base::Error;
using base::ErrorKind;
using base::json::Value;

namespace {

void check_idle(const Site& site, const std::string& app) {
    if (site.queue.has_builds_of(app))
        throw Error(ErrorKind::already_exists, "a build of " + app + " is waiting or running",
                    "Wait for it, or stop it with: slipway builds cancel BUILD");
}

void check_owner(const std::string& owner) {
    if (owner.empty() || owner.size() > 64 || base::printable(owner) != owner)
        throw FieldError("owner", base::quoted(owner) + " is no name for an owner",
                         "Use up to 64 printable characters.");
}

// One that says the app's own name says nothing.
std::string parse_repository(const std::string& repository, const std::string& app) {
    if (repository.empty() || repository == app) return {};
    try {
        check_repository_name(repository);
    } catch (const Error& error) {
        throw FieldError("repository", error.message(), error.hint());
    }
    return repository;
}

RegistryFiles images_of(const Site& site) {
    return RegistryFiles(registry_data(site.state));
}

LeavingImages leaving_images(const Site& site) {
    return {images_of(site), site.store, site.name};
}

// In whose own registry the images are; empty: in none.
std::string registry_of(const Site& site) {
    return site.registry.tokens ? site.name : std::string();
}

// Releases name their images by the path that they were pushed to; and who may pull them follows
// from the app that has the path.
void check_may_move(const Site& site, const apps::App& app) {
    check_idle(site, app.name);
    const bool holds_images = site.registry.tokens &&
                              !images_of(site).manifests(site.registry.repository_of(app)).empty();
    if (holds_images || site.store.builds().last_published(app.name))
        throw Error(ErrorKind::already_exists,
                    "images of " + app.name + " are in the repository " + base::quoted(app.path()) +
                        " already",
                    "Make another app with that repository.");
}

void list_apps(Api& api, Call& call) {
    const auto& principal = call.principal();
    auto apps = api.site().store.list_apps();
    std::erase_if(
        apps, [&](const apps::App& app) { return !principal.may(app.name, apps::Right::read); });
    const auto page = parse_page(call.head());
    Value list = Value::array();
    const auto begin = std::min(apps.size(), static_cast<std::size_t>(page.offset()));
    const auto end = std::min(apps.size(), begin + static_cast<std::size_t>(page.size));
    for (auto at = begin; at < end; ++at) list.push_back(shape_app(api.site(), apps[at]));
    call.send(list_reply("apps", std::move(list), page, static_cast<std::int64_t>(apps.size())));
}

http::Reply create_app(Api& api, const Value& wanted) {
    const auto& site = api.site();
    apps::App app{get_text(wanted, "name"),
                  apps::now_milliseconds(),
                  find_text(wanted, "owner").value_or(""),
                  {}};
    if (!receiver::is_app_name(app.name))
        throw FieldError("name", base::quoted(app.name) + " is no name for an app",
                         "Use 1 to 48 of a-z, 0-9, '-' and '.', a letter or a digit at both ends.");
    if (!app.owner.empty()) check_owner(app.owner);
    app.repository = parse_repository(find_text(wanted, "repository").value_or(""), app.name);
    if (const auto other = site.store.find_app_of_repository(app.path());
        other && other->name != app.name)
        throw FieldError("repository",
                         "the repository " + base::quoted(app.path()) + " is another app's");
    const std::lock_guard one_at_a_time(api.apps_change());
    if (site.store.find_app(app.name))
        throw Error(ErrorKind::already_exists,
                    "there is an app " + base::quoted(app.name) + " already");
    // The repository first: one without a row is found by nobody, and made anew by the next try.
    site.repositories.remove(app.name);
    site.repositories.create(app.name);
    base::remove_tree(site.state.caches() / app.name); // of an app that had this name
    leaving_images(site).make_room(app.path());
    site.store.add_app(app);
    base::log::info("an app was created", {{"app", app.name}});
    auto reply = envelope(201, "app", shape_app(site, app));
    reply.headers.emplace_back("Location", "/v1/apps/" + app.name);
    return reply;
}

// All is checked before anything is set.
void change_app(Api& api, Call& call) {
    const auto& site = api.site();
    const auto& app = call.app();
    const auto wanted = open_envelope(call.read_json(), "app");
    const auto uris = find_texts(wanted, "buildpacks");
    const auto stack = find_text(wanted, "stack");
    const auto owner = find_text(wanted, "owner");
    const auto repository =
        parse_repository(find_text(wanted, "repository").value_or(""), app.name);
    const bool moves = wanted.contains("repository") && repository != app.repository;
    check_buildpacks("buildpacks", uris);
    if (stack && !stack->empty() && !site.store.find_stack(*stack))
        throw FieldError("stack", "there is no stack " + base::quoted(*stack),
                         "slipway stack list shows those that are there.");
    if (owner) check_owner(*owner);
    const std::lock_guard one_at_a_time(api.apps_change());
    if (moves) check_may_move(site, app);
    if (moves) {
        leaving_images(site).make_room(repository.empty() ? app.name : repository);
        site.store.set_app_repository(app.name, repository, registry_of(site));
    }
    if (wanted.contains("buildpacks"))
        site.store.set_app_setting(app.name, "buildpacks", uris.empty() ? "" : Value(uris).dump());
    // null and "" both mean: the server's own choice again.
    if (wanted.contains("stack")) site.store.set_app_setting(app.name, "stack", stack.value_or(""));
    if (owner) site.store.set_app_owner(app.name, *owner);
    base::log::info("an app was changed", {{"app", app.name}, {"by", call.principal().name}});
    call.send(envelope(200, "app", shape_app(site, *site.store.find_app(app.name))));
}

void destroy_app(Api& api, Call& call) {
    const auto& site = api.site();
    const auto& app = call.app();
    if (call.query("current_name").value_or("") != app.name)
        throw FieldError("current_name", "the app's name must be given again to confirm",
                         "Add ?current_name=" + app.name);
    const std::lock_guard one_at_a_time(api.apps_change());
    const auto builds = site.store.builds().list({.app = app.name, .limit = 1'000'000});
    site.store.remove_app(app.name, registry_of(site));
    // First of all: a repository of no app is everybody's to read, and the next app of this name,
    // or of this repository, must not find this one's images.
    if (site.registry.tokens) leaving_images(site).remove(app.path());
    site.repositories.remove(app.name);
    base::remove_tree(site.state.caches() / app.name);
    for (const auto& build : builds) {
        base::remove_tree(site.state.log_of(build.id));
        remove_records(site.state.logs(), build.id);
    }
    base::log::info("an app was destroyed", {{"app", app.name}, {"by", call.principal().name}});
    call.send({.status = 204});
}

} // namespace

// A running build has moved the cache into its own directory and would bring it back.
void Api::clear_cache(Call& call) {
    const auto& app = call.app().name;
    check_idle(site_, app);
    base::remove_tree(site_.state.caches() / app);
    base::log::info("an app's cache was cleared", {{"app", app}, {"by", call.principal().name}});
}

void add_app_routes(http::Router& router, Api& api) {
    api.add(router, Access::any, "GET", "/v1/apps", [&](Call& call) { list_apps(api, call); });
    api.add(router, Access::server, "POST", "/v1/apps", [&](Call& call) {
        const auto wanted = open_envelope(call.read_json(), "app");
        api.send_once(call, [&] { return create_app(api, wanted); });
    });
    api.add(router, Access::read, "GET", "/v1/apps/{app}", [&](Call& call) {
        call.send(envelope(200, "app", shape_app(api.site(), call.app())));
    });
    api.add(router, Access::server, "PATCH", "/v1/apps/{app}",
            [&](Call& call) { change_app(api, call); });
    api.add(router, Access::server, "DELETE", "/v1/apps/{app}",
            [&](Call& call) { destroy_app(api, call); });
    api.add(router, Access::deploy, "DELETE", "/v1/apps/{app}/caches/deployment", [&](Call& call) {
        api.clear_cache(call);
        call.send({.status = 204});
    });
}

} // namespace server::api
