// The verbs about what an app keeps between its builds: its buildpacks, its stack, its cache.
#include "control.h"

#include "build_records.h"
#include "render.h"

#include "base/error.h"
#include "base/log.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

namespace server {

using base::Error;
using base::ErrorKind;
using base::json::find_string;
using base::json::get_string;

namespace {

constexpr std::size_t most_buildpacks = 50;
constexpr std::size_t longest_uri = 2000;

void check_uri(const std::string& uri) {
    if (uri.empty() || uri.size() > longest_uri || base::printable(uri) != uri)
        throw Error(ErrorKind::invalid_input, base::quoted(uri) + " names no buildpack",
                    "Give an id, a git or archive URL, or an image: docs/buildpacks/choice.md");
    // Everybody who may push sees the list and the log.
    const auto scheme = uri.find("://");
    const auto at = uri.find('@');
    if (scheme != std::string::npos && at != std::string::npos && uri.find(':', scheme + 3) < at)
        throw Error(ErrorKind::invalid_input, "a buildpack's URL may not hold a password",
                    "Use a URL that can be read without one.");
}

} // namespace

base::json::Value Control::app_buildpacks(const Value& request) {
    const auto app = get_app(request);
    if (request.contains("buildpacks")) {
        const auto uris = base::json::get_strings(request, "buildpacks");
        if (uris.size() > most_buildpacks)
            throw Error(ErrorKind::limit_exceeded, "an app may have up to 50 buildpacks");
        for (const auto& uri : uris) check_uri(uri);
        site_.store.set_app_setting(app.name, "buildpacks", uris.empty() ? "" : Value(uris).dump());
        base::log::info("an app's buildpacks were set", {{"app", app.name}});
    }
    const auto text = site_.store.find_app_setting(app.name, "buildpacks");
    return {{"app", app.name}, {"buildpacks", text ? Value::parse(*text) : Value::array()}};
}

base::json::Value Control::app_stack(const Value& request) {
    const auto app = get_app(request);
    if (const auto name = find_string(request, "stack")) {
        if (!name->empty() && !site_.store.find_stack(*name))
            throw Error(ErrorKind::not_found, "there is no stack " + base::quoted(*name),
                        "slipway stack list shows those that are there.");
        site_.store.set_app_setting(app.name, "stack", *name);
        base::log::info("an app's stack was set", {{"app", app.name}, {"stack", *name}});
    }
    const auto own = site_.store.find_app_setting(app.name, "stack");
    return {{"app", app.name}, {"stack", own ? Value(*own) : Value(nullptr)}};
}

// A running build has moved the cache into its own directory and would bring it back.
base::json::Value Control::clear_cache(const Value& request) {
    const auto app = get_app(request);
    if (site_.queue.has_builds_of(app.name))
        throw Error(ErrorKind::already_exists, "a build of " + app.name + " is waiting or running",
                    "Wait for it, or stop it with: slipway builds cancel BUILD");
    const auto directory = site_.state.caches() / app.name;
    const bool was_there = std::filesystem::exists(directory);
    base::remove_tree(directory);
    base::log::info("an app's cache was cleared", {{"app", app.name}});
    return {{"app", app.name}, {"cleared", was_there}};
}

base::json::Value Control::build_records(const Value& request) {
    const auto build = get_build(request);
    return {{"build", build.id},
            {"records", read_records(site_.state.logs(), build.id, get_string(request, "record"))}};
}

} // namespace server
