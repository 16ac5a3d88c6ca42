#include "shapes.h"

#include "answers.h"

#include <nlohmann/json.hpp>

namespace server::api {

using base::json::Value;

namespace {

// Scalingo's clients follow an app's deployments here.
std::string websocket_url(const Site& site, const std::string& path) {
    const auto& url = site.http_url;
    if (url.empty()) return {};
    return (url.starts_with("https://") ? "wss" + url.substr(5) : "ws" + url.substr(4)) + path;
}

Value shape_person(const std::string& name) {
    return {{"id", name}, {"username", name}, {"email", name + "@localhost"}};
}

Value parse_or(const std::optional<std::string>& text, Value otherwise) {
    return text && !text->empty() ? base::json::parse(*text, "a setting") : otherwise;
}

} // namespace

Value shape_app(const Site& site, const apps::App& app) {
    const auto published = site.store.builds().last_published(app.name);
    const auto own_stack = site.store.find_app_setting(app.name, "stack");
    Value value{
        {"id", app.name},
        {"name", app.name},
        {"owner", shape_person(app.owner.empty() ? app.name : app.owner)},
        {"created_at", time_or_null(app.created)},
        {"repository_url", site.ssh_url() + "/" + app.name + ".git"},
        {"git_url", site.ssh_url() + "/" + app.name + ".git"},
        {"repository", site.registry.repository_of(app)},
        {"image", site.registry.shown_host() + "/" + site.registry.repository_of(app) + ":latest"},
        {"digest", published ? Value(published->digest) : Value(nullptr)},
        {"last_build", nullptr},
        {"last_deployed_at", published ? time_or_null(published->finished) : Value(nullptr)},
        {"buildpacks",
         parse_or(site.store.find_app_setting(app.name, "buildpacks"), Value::array())},
        {"stack", own_stack ? text_or_null(*own_stack) : Value(nullptr)},
        {"status", published ? "running" : "new"},
        {"url", nullptr},
        {"links",
         {{"deployments_stream",
           text_or_null(websocket_url(site, "/v1/apps/" + app.name + "/deployments/stream"))}}}};
    const auto builds = site.store.builds().list({.app = app.name, .limit = 1});
    if (!builds.empty())
        value["last_build"] = {{"id", builds[0].id}, {"state", apps::to_string(builds[0].state)}};
    return value;
}

Value shape_build(const apps::Build& build) {
    Value phases = Value::object(), processes = Value::array();
    for (const auto& [phase, milliseconds] : build.phases) phases[phase] = milliseconds;
    for (const auto& process : build.processes)
        processes.push_back({{"type", process.type},
                             {"command", process.command},
                             {"default", process.is_default}});
    return {{"id", build.id},
            {"app", build.app},
            {"state", apps::to_string(build.state)},
            {"door", build.door.empty() ? "git" : build.door},
            {"source", build.source_kind},
            {"commit", text_or_null(build.commit)},
            {"ref", text_or_null(build.ref)},
            {"pushed_by", text_or_null(build.pushed_by)},
            {"created_at", time_or_null(build.created)},
            {"started_at", time_or_null(build.started)},
            {"finished_at", time_or_null(build.finished)},
            {"phases", phases},
            {"failed_phase", text_or_null(build.failed_phase)},
            {"digest", text_or_null(build.digest)},
            {"reference", text_or_null(build.reference)},
            {"size", build.size},
            {"same_as", text_or_null(build.same_as)},
            {"processes", processes},
            {"reason", text_or_null(build.reason)},
            {"hint", text_or_null(build.hint)},
            {"tries_again_at", time_or_null(build.tries_again)},
            {"attempt", build.attempt},
            {"queue", nullptr},
            {"options",
             build.options.empty() ? Value::object() : parse_or(build.options, Value::object())}};
}

Value shape_key(const apps::Key& key) {
    return {{"name", key.name},
            {"fingerprint", key.fingerprint},
            {"type", key.type},
            {"apps", key.apps},
            {"added_at", time_or_null(key.added)}};
}

Value shape_token(const apps::Token& token) {
    Value scopes = Value::array();
    for (const auto& scope : token.scopes) scopes.push_back(scope.render());
    return {{"id", token.id},
            {"name", token.name},
            {"prefix", token.prefix},
            {"scopes", scopes},
            {"created_by", token.created_by},
            {"created_at", time_or_null(token.created)},
            {"expires_at", time_or_null(token.expires)},
            {"last_used_at", time_or_null(token.used)}};
}

Value shape_stack(const apps::Stack& stack) {
    return {{"name", stack.name},
            {"build", stack.build},
            {"run", stack.run},
            {"current", stack.current}};
}

Value shape_server(const Site& site) {
    Value fingerprints = Value::array(), buildpacks = Value::array();
    for (const auto& key : site.host_keys) fingerprints.push_back(key.fingerprint);
    for (const auto& directory : site.buildpacks) buildpacks.push_back(directory.string());
    const auto stack = site.store.current_stack();
    return {{"version", site.version},
            {"state", site.state.root().string()},
            {"url", text_or_null(site.http_url)},
            {"ssh",
             {{"address", site.ssh_address},
              {"port", site.ssh_port},
              {"url", site.ssh_url()},
              {"host_keys", fingerprints}}},
            {"registry", site.registry.shown_host()},
            {"registry_local", site.registry.host},
            {"registry_prefix", site.registry.prefix},
            {"registry_insecure", site.registry.insecure},
            {"registry_user", site.registry.user},
            {"registry_password_file", site.registry.password_file.string()},
            {"registry_client_certificate", site.registry.client_certificate.string()},
            {"registry_client_key", site.registry.client_key.string()},
            {"stack", stack ? Value(stack->name) : Value(nullptr)},
            // So that `slipway build` gives the digest that a push gives.
            {"build",
             {{"environment", site.config.build.environment},
              {"ca_certificates", site.config.build.ca_certificates.string()},
              {"slugignore", site.config.build.slugignore},
              {"classic_variables", site.config.build.classic_variables},
              {"classic_stack", site.config.build.classic_stack},
              {"runtime", site.config.sandbox.runtime},
              {"network", site.config.sandbox.network},
              {"first_id", site.config.sandbox.first_id},
              {"buildpacks", buildpacks},
              {"launcher", site.launcher.string()}}}};
}

} // namespace server::api
