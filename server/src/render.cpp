#include "render.h"

#include <nlohmann/json.hpp>

namespace server {

using base::json::Value;

Value render_app(const Site& site, const apps::App& app) {
    Value value{
        {"app", app.name},
        {"created", app.created},
        {"repository_url", site.ssh_url() + "/" + app.name + ".git"},
        {"image", site.registry.host + "/" + site.registry.repository_of(app.name) + ":latest"},
        {"digest", nullptr},
        {"last_build", nullptr}};
    if (const auto published = site.store.last_published(app.name))
        value["digest"] = published->digest;
    const auto builds = site.store.list_builds({.app = app.name, .limit = 1});
    if (!builds.empty())
        value["last_build"] = {{"build", builds[0].id},
                               {"state", apps::to_string(builds[0].state)}};
    return value;
}

Value render_key(const apps::Key& key) {
    return {{"name", key.name},
            {"fingerprint", key.fingerprint},
            {"type", key.type},
            {"apps", key.apps},
            {"added", key.added}};
}

Value render_build(const apps::Build& build) {
    Value phases = Value::object(), processes = Value::array();
    for (const auto& [phase, milliseconds] : build.phases) phases[phase] = milliseconds;
    for (const auto& process : build.processes)
        processes.push_back({{"type", process.type},
                             {"command", process.command},
                             {"default", process.is_default}});
    return {{"build", build.id},
            {"app", build.app},
            {"state", apps::to_string(build.state)},
            {"source", build.source_kind},
            {"commit", build.commit},
            {"ref", build.ref},
            {"pushed_by", build.pushed_by},
            {"created", build.created},
            {"started", build.started},
            {"finished", build.finished},
            {"phases", phases},
            {"digest", build.digest},
            {"reference", build.reference},
            {"size", build.size},
            {"processes", processes},
            {"reason", build.reason},
            {"hint", build.hint},
            {"failed_phase", build.failed_phase}};
}

Value render_stack(const apps::Stack& stack) {
    return {{"name", stack.name},
            {"build", stack.build},
            {"run", stack.run},
            {"current", stack.current}};
}

Value render_info(const Site& site) {
    Value fingerprints = Value::array(), buildpacks = Value::array();
    for (const auto& key : site.host_keys) fingerprints.push_back(key.fingerprint);
    for (const auto& directory : site.buildpacks) buildpacks.push_back(directory.string());
    const auto stack = site.store.current_stack();
    return {{"version", site.version},
            {"state", site.state.root().string()},
            {"ssh",
             {{"address", site.ssh_address},
              {"port", site.ssh_port},
              {"url", site.ssh_url()},
              {"host_keys", fingerprints}}},
            {"registry", site.registry.host},
            {"registry_prefix", site.registry.prefix},
            {"registry_insecure", site.registry.insecure},
            {"registry_user", site.registry.user},
            {"registry_password_file", site.registry.password_file.string()},
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

} // namespace server
