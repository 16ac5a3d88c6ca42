#include "jobs.h"

#include "build_options.h"
#include "config_values.h"
#include "registry_tokens.h"
#include "same_inputs.h"

#include "receiver/webhook.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace server {
namespace {

using base::Error;
using base::ErrorKind;

builder::JobLimits limits_of(const Config& config) {
    builder::JobLimits limits;
    limits.memory_bytes = config.sandbox.memory;
    limits.pids = config.sandbox.pids;
    limits.cpus = config.sandbox.cpus;
    limits.time = config.sandbox.time;
    limits.silence = config.sandbox.silence;
    limits.log_bytes = config.build.log_size;
    limits.source_bytes = config.build.source_size;
    limits.source_entries = config.build.source_entries;
    limits.source_depth = config.build.source_depth;
    limits.source_time = config.build.source_time;
    limits.archive_ratio = config.build.source_ratio;
    limits.archive_bytes = config.upload.size;
    return limits;
}

std::string first_line(const std::filesystem::path& file) {
    const auto text = base::read_file(file, 1u << 16);
    return text.substr(0, text.find_first_of("\r\n"));
}

apps::App find_app(apps::Store& store, const std::string& name) {
    if (auto app = store.find_app(name)) return *app;
    throw Error(ErrorKind::not_found, "there is no app " + base::quoted(name) + " any more");
}

void add_buildpacks(builder::Job& job, apps::Store& store) {
    const auto text = store.find_app_setting(job.app, "buildpacks");
    if (!text) return;
    job.buildpacks = {
        base::json::parse(*text, "the list of buildpacks").get<std::vector<std::string>>(),
        "the app's list"};
}

// A proposal's image is not the app's.
std::string tag_of(const std::string& ref) {
    const auto proposal = receiver::proposal_of(ref);
    return proposal ? "pull-" + *proposal : "latest";
}

// What nobody has merged leaves nothing behind that the app's own builds would take up, and a
// stranger's code is not told the app's secrets.
void add_what_is_the_apps(builder::Job& job, const JobSettings& settings,
                          const apps::Build& build) {
    if (!receiver::proposal_of(build.ref))
        job.cache_directory = settings.state.make_cache_of(build.app);
    if (!is_of_stranger(build)) job.environment = settings.variables.for_build(build.app);
}

} // namespace

apps::Stack stack_of(apps::Store& store, const std::string& app) {
    if (const auto name = store.find_app_setting(app, "stack"))
        if (auto stack = store.find_stack(*name)) return *stack;
    if (auto stack = store.current_stack()) return *stack;
    throw Error(ErrorKind::unavailable, "the server has no stack yet",
                "Its operator makes one with: slipway stack create debian-12");
}

std::optional<builder::RegistryAccess> own_access(const Registry& registry) {
    if (registry.tokens)
        return builder::RegistryAccess{std::string(RegistryTokens::own_user),
                                       registry.tokens->own_password()};
    if (registry.user.empty() && registry.client_certificate.empty()) return std::nullopt;
    builder::RegistryAccess access;
    if (!registry.user.empty())
        access = {registry.user, base::Secret(first_line(registry.password_file))};
    if (registry.client_certificate.empty()) return access;
    access.certificate = base::read_file(registry.client_certificate, 1u << 20);
    access.key = base::Secret(base::read_file(registry.client_key, 1u << 20));
    return access;
}

registry::Settings own_settings(const Registry& registry, const std::filesystem::path& ca_file) {
    registry::Settings settings{.insecure = registry.insecure, .ca_file = ca_file.string()};
    if (const auto own = own_access(registry))
        settings.credentials[registry.host] = {own->user, own->password, own->certificate,
                                               own->key};
    return settings;
}

void add_registry(builder::Job& job, const Registry& registry, const apps::App& app,
                  const std::string& ref) {
    job.target = builder::RegistryTarget{registry.host, registry.repository_of(app), tag_of(ref),
                                         registry.shown_host()};
    job.insecure_registries = registry.insecure;
    if (!registry.tokens) {
        if (auto access = own_access(registry))
            job.registry_credentials[registry.host] = std::move(*access);
        return;
    }
    // Ours trusts a build with its own app's repository while it runs, and with nothing more.
    auto& access = job.registry_credentials[registry.host];
    access.user = RegistryTokens::build_user;
    access.password = registry.tokens->secret_of_build(job.id);
    access.of_this_build = true;
}

builder::Job make_job(const JobSettings& settings, const apps::Build& build,
                      const builder::Source& source) {
    const auto& config = settings.config;
    check_ready_for_builds(config, settings.state, settings.store, build.app);
    const auto stack = stack_of(settings.store, build.app);
    builder::Job job;
    job.id = build.id;
    job.app = build.app;
    job.source = source;
    job.stack = {stack.name, stack.build, stack.run};
    add_registry(job, settings.registry, find_app(settings.store, build.app), build.ref);
    if (const auto previous = settings.store.builds().last_published(build.app))
        job.previous = previous->digest;
    job.inputs = known_inputs({config, settings.store.builds(), settings.inputs_key}, build);
    job.buildpack_directories = settings.buildpacks;
    job.launcher_directory = settings.launcher;
    job.images_directory = settings.state.images();
    job.sources_directory = settings.state.buildpack_sources();
    job.source_access.allowed_private_hosts = config.buildpacks.allowed_private_hosts;
    job.allowed_private_hosts = config.network.allowed_private_hosts;
    job.source_access.submodules = config.buildpacks.submodules == "yes";
    if (const auto* tree = std::get_if<builder::GitTree>(&source)) job.revision = tree->commit;
    if (const auto* commit = std::get_if<builder::RemoteCommit>(&source))
        job.revision = commit->commit;
    // An attempt that was given up on may still be in its own.
    job.work_directory = settings.state.builds() / (build.id + "-" + std::to_string(build.attempt));
    add_what_is_the_apps(job, settings, build);
    for (const auto& [name, value] : config.build.environment)
        if (job.environment.emplace(name, value).second) job.operator_variables.insert(name);
    job.ca_file = config.build.ca_certificates;
    job.network = config.sandbox.network;
    job.runtime = config.sandbox.runtime;
    job.first_id = ::geteuid() == 0 ? static_cast<unsigned>(config.sandbox.first_id) : 0;
    job.limits = limits_of(config);
    job.slug_ignore = config.build.slugignore == "before" ? builder::SlugIgnore::before
                                                          : builder::SlugIgnore::after;
    job.materials = config.registry.proof == "yes";
    job.variables_in_environment = config.build.classic_variables == "environment";
    job.stack.classic_name = config.build.classic_stack;
    job.cache_bytes = config.build.cache_size;
    job.compression =
        image::parse_compression(config.registry.compression).value_or(image::Compression::gzip);
    add_buildpacks(job, settings.store);
    settings.state.make_for_builds(job.work_directory);
    return job;
}

void check_ready_for_builds(const Config& config, const StateDirectory& state, apps::Store& store,
                            const std::string& app) {
    const auto space = free_space(state.root());
    if (space < config.build.free_space)
        throw Error(ErrorKind::limit_exceeded,
                    "the server's disk is nearly full (" + base::human_bytes(space) + " left)",
                    "Its operator must free some space first; then push again.");
    stack_of(store, app);
}

std::string ssh_url(const Config& config, const Address& listener) {
    const auto& host = config.ssh.host.empty() ? listener.host : config.ssh.host;
    return "ssh://git@" + Address{host, listener.port}.render();
}

std::string Site::ssh_url() const {
    return server::ssh_url(config, {ssh_address, ssh_port});
}

} // namespace server
