#include "server/server.h"

#include "build_report.h"
#include "build_source.h"
#include "door.h"
#include "http_listeners.h"
#include "jobs.h"
#include "kept_images.h"
#include "leaving_images.h"
#include "local_listener.h"
#include "notices.h"
#include "own_registry.h"
#include "programs.h"
#include "registry_upkeep.h"
#include "retention.h"
#include "same_inputs.h"
#include "signatures.h"
#include "ssh_listener.h"
#include "webhooks.h"

#include "api/shapes.h"

#include "engine/namespaces.h"
#include "remotes/keys.h"
#include "wire/server.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/temp_dir.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace server {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

// For connections whose build has ended: git still moves the ref.
constexpr auto time_to_part = std::chrono::seconds(5);

// A cancelled build has ended five seconds after it was asked to, its sandbox included.
constexpr auto worker_grace = std::chrono::seconds(2);

// What a server that was killed left behind, but for its builds, which are the queue's. We hold the
// lock: nothing of ours runs.
void recover(const StateDirectory& state, const Repositories& repositories) {
    try {
        engine::sweep_cgroups();
    } catch (const Error& error) {
        base::log::warning("cgroups could not be swept", {{"reason", error.describe()}});
    }
    for (const auto& entry : fs::directory_iterator(state.builds()))
        base::remove_tree(entry.path());
    remotes::sweep(state.run());
    repositories.sweep();
}

Registry choose_registry(const Config& config, const OwnRegistry* own) {
    Registry registry;
    if (own) registry = own->describe();
    registry.insecure.insert(registry.insecure.end(), config.registry.insecure.begin(),
                             config.registry.insecure.end());
    if (own) return registry;
    const auto& url = config.registry.url;
    const auto slash = url.find('/');
    registry.host = url.substr(0, slash);
    if (slash != std::string::npos) registry.prefix = url.substr(slash + 1);
    if (!registry.prefix.empty() && registry.prefix.back() != '/') registry.prefix += '/';
    registry.user = config.registry.user;
    registry.password_file = config.registry.password_file;
    registry.client_certificate = config.registry.client_certificate;
    registry.client_key = config.registry.client_key;
    return registry;
}

// In the table of builds, where several servers may work: the same one after a restart.
std::string name_of_server(const StateDirectory& state) {
    char host[256] = "localhost";
    ::gethostname(host, sizeof host - 1);
    return host + (":" + fs::weakly_canonical(state.root()).string());
}

// A build that was received but not queued when the last server died: a push whose ref git has
// moved counts; what another door keeps was whole before it was a build.
bool has_arrived(const Repositories& repositories, const apps::Build& build) {
    if (build.source_kind != "git") return build.durable;
    return repositories.head_of(build.app, build.ref) == build.commit;
}

QueueSettings queue_settings(const JobSettings& jobs, const Programs& programs,
                             const base::KeyRing& keys, const Repositories& repositories) {
    const auto& config = jobs.config;
    const auto& state = jobs.state;
    QueueSettings settings;
    settings.workers = config.build.workers;
    settings.longest = config.build.queue;
    settings.longest_of_owner = config.build.queue_of_owner;
    settings.name = name_of_server(state);
    settings.worker.program = programs.directory / "slipway-worker";
    settings.worker.grace = worker_grace;
    settings.logs_directory = state.logs();
    settings.log_limit = config.build.log_size;
    settings.kept_directory = state.kept();
    settings.kept_bytes = config.registry.kept_size;
    settings.kept_for = config.registry.keep;
    settings.keys = &keys;
    settings.make_job = [jobs](const apps::Build& build, const builder::Source& source) {
        return make_job(jobs, build, source);
    };
    settings.add_secrets = [&store = jobs.store, &keys](builder::Job& job,
                                                        const apps::Build& build) {
        add_hook_secrets(job, build.hook, store.hooks(), keys);
    };
    settings.has_arrived = [&repositories](const apps::Build& build) {
        return has_arrived(repositories, build);
    };
    settings.clean_up = [](const builder::Job& job) {
        try {
            base::remove_tree(job.work_directory);
        } catch (const std::exception& error) {
            base::log::warning("a build's directory could not be removed",
                               {{"build", job.id}, {"reason", error.what()}});
        }
    };
    return settings;
}

NoticeSettings notice_settings(const Config& config) {
    NoticeSettings settings;
    settings.allowed_private_hosts = config.network.allowed_private_hosts;
    settings.ca_file = config.build.ca_certificates.string();
    return settings;
}

Webhooks::Settings webhook_settings(const Config& config, const StateDirectory& state,
                                    const SystemUser& user) {
    return {.check_interval = config.webhooks.check_interval,
            .remotes = {.policy = {.allowed_private_hosts = config.network.allowed_private_hosts,
                                   .setting = "network.allowed_private_hosts"},
                        .ca_file = config.build.ca_certificates,
                        .scratch = state.run(),
                        .run_as = run_as(user)}};
}

SshSettings ssh_settings(const Config& config, const StateDirectory& state, const Site& site,
                         const SystemUser& user) {
    SshSettings settings;
    settings.program = state.programs() / "slipway-ssh";
    settings.hooks = state.programs() / "hooks";
    settings.door_socket = state.door_socket();
    for (const auto& key : site.host_keys) settings.host_keys.push_back(key.file);
    settings.run_as = run_as(user);
    settings.address = site.ssh_url();
    settings.login_timeout = config.ssh.login_timeout;
    settings.max_pack_bytes = config.git.push_size;
    settings.max_unauthenticated = config.ssh.max_unauthenticated;
    settings.max_connections = config.ssh.max_connections;
    settings.max_per_address = config.ssh.max_per_address;
    return settings;
}

// For scripts that started us with port 0.
void write_addresses(const Site& site, const std::string& metrics) {
    const base::json::Value value{{"pid", ::getpid()},
                                  {"ssh", {{"address", site.ssh_address}, {"port", site.ssh_port}}},
                                  {"registry", site.registry.host},
                                  {"registry_public", site.registry.public_host},
                                  {"http", site.http_url},
                                  {"metrics", metrics},
                                  {"control", site.state.control_socket().string()}};
    base::replace_file(site.state.run() / "server.json", base::json::render(value) + "\n", 0644);
}

SignatureSettings signature_settings(const Config& config, const StateDirectory& state,
                                     const std::string& version, std::string ssh_url,
                                     const Registry& registry) {
    return {
        .key = state.signing_key(),
        .public_keys = state.signing_public_keys(),
        .builder = config.http.url,
        .version = version,
        .repository_url =
            [ssh_url = std::move(ssh_url)](const std::string& app) {
                return "git+" + ssh_url + "/" + app + ".git";
            },
        .registry_access =
            [&config, &registry] { return own_settings(registry, config.build.ca_certificates); }};
}

struct Listeners {
    SshListener ssh;
    LocalListener door;
    HttpListeners http;
    api::Api& api;
};

// The order of the end: no new connections; rebases stop after the apps they are at; builds finish;
// their pushers hear of it; the rest.
void run(Listeners& listeners, Queue& queue, Rebases& rebases, const Config& config,
         const base::Stop& drain, const base::Stop& end) {
    base::StopSource no_more, ssh_end, ssh_ended, quiet, http_end, http_ended;
    base::TaskGroup threads;
    threads.start([&](const base::Stop&) {
        listeners.ssh.run(no_more.stop(), ssh_end.stop());
        ssh_ended.request();
    });
    threads.start([&](const base::Stop&) { listeners.door.run(quiet.stop()); });
    threads.start([&](const base::Stop&) {
        listeners.http.run(quiet.stop(), http_end.stop());
        http_ended.request();
    });
    base::log::info("ready");
    std::puts("slipwayd: ready");
    std::fflush(stdout);
    drain.wait_for(threads.stop().fd(), POLLIN); // a listener that failed ends us too
    base::log::info("stopping: running builds are waited for");
    no_more.request();
    listeners.api.note_stopping();
    rebases.pause(end.within(config.server.drain));
    queue.drain(end.within(config.server.drain));
    end.within(time_to_part).wait_for(ssh_ended.stop().fd(), POLLIN);
    ssh_end.request();
    quiet.request();
    end.within(time_to_part).wait_for(http_ended.stop().fd(), POLLIN);
    http_end.request();
    threads.join();
}

std::string read_password(const fs::path& file) {
    if (file.empty()) return {};
    const auto text = base::read_file(file);
    return text.substr(0, text.find_first_of("\r\n"));
}

} // namespace

void serve(const Config& config, const std::string& version, const base::Stop& drain,
           const base::Stop& end) {
    const auto user = choose_user(config.ssh.user, "slipway", "ssh.user");
    const auto programs = find_programs(config);
    const StateDirectory state(config.state, user, static_cast<unsigned>(config.sandbox.first_id));
    install_door_programs(state, programs.directory);
    const auto store = apps::open_store(state.database(), config.database.url,
                                        read_password(config.database.password_file));
    auto keys = base::KeyRing::open(config.secrets.key_file.empty() ? state.secret_keys()
                                                                    : config.secrets.key_file);
    ConfigVars variables(*store, keys);
    variables.finish_rotation(); // of a server that was killed in one
    seal_open_sources(store->builds(), keys);
    const Repositories repositories(state, user);
    recover(state, repositories);
    const LeavingImages leaving(RegistryFiles(registry_data(state)), *store, name_of_server(state));
    leaving.sweep({}); // no registry runs, and the next one believes no token of the last one

    auto http = open_http_sockets(config);
    std::optional<OwnRegistry> own_registry;
    if (config.registry.url.empty()) {
        own_registry.emplace(config, state, public_url(config, http.web));
        http.registry_tokens = own_registry->take_token_listener();
    }
    const auto registry = choose_registry(config, own_registry ? &*own_registry : nullptr);
    auto ssh = listen_on(parse_address(config.ssh.listen));
    const auto metrics_address = http.metrics ? http.metrics->address.render() : std::string();
    api::Metrics metrics;
    UploadStore uploads(config, state, *store);
    BuildEvents build_events;
    const JobSettings jobs{config,
                           state,
                           *store,
                           variables,
                           registry,
                           programs.launcher,
                           programs.buildpacks,
                           open_inputs_key(state.inputs_key())};
    const NoticeTexts texts{public_url(config, http.web),
                            [](const apps::Build& build) { return api::shape_build(build); }};
    store->builds().write_notices_with([texts](auto&... row) { return notices_of(texts, row...); });
    NoticeSender notices(*store, keys, notice_settings(config));
    auto waiting_line = queue_settings(jobs, programs, keys, repositories);
    const auto on_change = [&](const apps::Build& build) {
        if (apps::is_over(build.state)) metrics.count_build(build);
        notices.wake();
        build_events.announce(build.app);
    };
    waiting_line.on_change = on_change;
    const Signatures signatures(
        signature_settings(config, state, version, ssh_url(config, ssh.address), registry));
    if (config.registry.proof == "yes")
        waiting_line.prove = [&signatures](const PublishedBuild& build, const base::Stop& stop) {
            signatures.attach(build, stop);
        };
    Rebases rebases({.store = *store,
                     .registry = registry,
                     .logs_directory = state.logs(),
                     .ca_file = config.build.ca_certificates,
                     .name = name_of_server(state),
                     .drain = drain,
                     .prove = waiting_line.prove,
                     .on_change = on_change});
    Queue queue(*store, std::move(waiting_line));
    Webhooks webhooks(
        store->hooks(), keys,
        [&queue](Submission submission) { return queue.submit(std::move(submission))->id(); },
        webhook_settings(config, state, user));
    PruneSettings pruned{config.retention,
                         state,
                         *store,
                         {[&](DryRun dry_run) {
                             return prune_uploads(uploads, store->uploads(),
                                                  config.retention.uploads, dry_run);
                         }},
                         config.webhooks.keep};
    pruned.more.push_back(
        [&](DryRun dry_run) { return prune_kept(state.kept(), store->builds(), dry_run); });
    if (own_registry)
        pruned.more.push_back([&](DryRun dry_run) {
            return prune_registry(
                registry_prune(*own_registry, queue, rebases, config, state, *store, end), dry_run);
        });
    const Site site{config,
                    state,
                    *store,
                    queue,
                    repositories,
                    variables,
                    keys,
                    registry,
                    version,
                    ssh.address.host,
                    ssh.address.port,
                    open_host_keys(state.host_keys()),
                    programs.launcher,
                    programs.buildpacks,
                    public_url(config, http.web),
                    uploads,
                    build_events,
                    [&](DryRun dry_run) { return prune(pruned, dry_run); },
                    &webhooks,
                    name_of_server(state),
                    &signatures};
    store->idempotency().forget_unanswered(site.name); // nobody answers them any more
    api::Api api(site, metrics);
    SshListener* ssh_listener = nullptr;
    Door door(site,
              [&ssh_listener](pid_t child_pid) { ssh_listener->note_authenticated(child_pid); });
    Listeners listeners{
        SshListener(std::move(ssh), ssh_settings(config, state, site, user)),
        LocalListener(wire::listen_at(state.door_socket(), 0660, user.gid), {user.uid},
                      [&](auto&... arguments) { return door.answer(arguments...); }),
        HttpListeners(config, api, rebases, std::move(http),
                      wire::listen_at(state.control_socket(), 0600)),
        api};
    ssh_listener = &listeners.ssh;
    base::TaskGroup chores;
    chores.start([&](const base::Stop& stop) { keep_pruning(pruned, stop); });
    chores.start([&](const base::Stop& stop) { notices.run(stop); });
    chores.start([&](const base::Stop& stop) { keep_sweeping(leaving, api.apps_change(), stop); });
    write_addresses(site, metrics_address);
    run(listeners, queue, rebases, config, drain, end);
}

} // namespace server
