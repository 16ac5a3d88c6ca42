#include "server/server.h"

#include "control.h"
#include "door.h"
#include "http_listeners.h"
#include "jobs.h"
#include "local_listener.h"
#include "registry_child.h"
#include "ssh_listener.h"

#include "engine/namespaces.h"
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

struct Programs {
    fs::path directory, launcher;
    std::vector<fs::path> buildpacks;
};

Programs find_programs(const Config& config) {
    Programs programs;
    programs.directory = config.paths.programs.empty()
                             ? fs::read_symlink("/proc/self/exe").parent_path()
                             : config.paths.programs;
    programs.launcher = config.paths.launcher.empty() ? programs.directory : config.paths.launcher;
    for (const auto& directory : config.paths.buildpacks)
        programs.buildpacks.push_back(fs::weakly_canonical(directory));
    if (programs.buildpacks.empty())
        programs.buildpacks.push_back(
            fs::weakly_canonical(programs.directory / "../share/slipway/buildpacks"));
    for (const char* name : {"slipway-ssh", "slipway-hook", "slipway-worker"})
        if (!fs::exists(programs.directory / name))
            throw Error(ErrorKind::not_found, (programs.directory / name).string() + " is missing",
                        "Set paths.programs to the directory of Slipway's programs.");
    return programs;
}

// Copies, because the door's user must reach them and may not reach where we were built; and a
// rebuild does not change a running server.
void install_door_programs(const StateDirectory& state, const fs::path& from) {
    make_directory(state.programs() / "hooks", 0755);
    const auto copy = [&](const char* name, const fs::path& to) {
        auto draft = to;
        draft += ".new";
        fs::copy_file(from / name, draft, fs::copy_options::overwrite_existing);
        fs::permissions(draft, fs::perms(0755));
        fs::rename(draft, to);
    };
    copy("slipway-ssh", state.programs() / "slipway-ssh");
    copy("slipway-hook", state.programs() / "hooks" / "pre-receive");
}

// What a server that was killed left behind. We hold the lock: nothing of ours runs.
void recover(const StateDirectory& state, apps::Store& store, const Repositories& repositories) {
    for (const auto& id : store.close_abandoned_builds("the server stopped while this build ran"))
        base::log::warning("a build was lost with the last server", {{"build", id}});
    try {
        engine::sweep_cgroups();
    } catch (const Error& error) {
        base::log::warning("cgroups could not be swept", {{"reason", error.describe()}});
    }
    for (const auto& entry : fs::directory_iterator(state.builds()))
        base::remove_tree(entry.path());
    repositories.sweep();
}

Registry choose_registry(const Config& config, const RegistryChild* child) {
    Registry registry;
    registry.insecure = config.registry.insecure;
    if (child) {
        registry.host = child->address().render();
        registry.insecure.push_back(registry.host);
        return registry;
    }
    const auto& url = config.registry.url;
    const auto slash = url.find('/');
    registry.host = url.substr(0, slash);
    if (slash != std::string::npos) registry.prefix = url.substr(slash + 1);
    if (!registry.prefix.empty() && registry.prefix.back() != '/') registry.prefix += '/';
    registry.user = config.registry.user;
    registry.password_file = config.registry.password_file;
    return registry;
}

QueueSettings queue_settings(const Config& config, const StateDirectory& state,
                             const Programs& programs, apps::Store& store,
                             const Registry& registry) {
    QueueSettings settings;
    settings.workers = config.build.workers;
    settings.longest = config.build.queue;
    settings.worker.program = programs.directory / "slipway-worker";
    settings.logs_directory = state.logs();
    settings.log_limit = config.build.log_size;
    const JobSettings jobs{config, state, store, registry, programs.launcher, programs.buildpacks};
    settings.make_job = [jobs](const apps::Build& build, const builder::Source& source) {
        return make_job(jobs, build, source);
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
                                  {"http", site.http_url},
                                  {"metrics", metrics},
                                  {"control", site.state.control_socket().string()}};
    base::replace_file(site.state.run() / "server.json", base::json::render(value) + "\n", 0644);
}

struct Listeners {
    SshListener ssh;
    LocalListener door;
    LocalListener control;
    HttpListeners http;
    api::Api& api;
};

// The order of the end: no new connections; builds finish; their pushers hear of it; the rest.
void run(Listeners& listeners, Queue& queue, const Config& config, const base::Stop& drain,
         const base::Stop& end) {
    base::StopSource no_more, ssh_end, ssh_ended, quiet, http_end, http_ended;
    base::TaskGroup threads;
    threads.start([&](const base::Stop&) {
        listeners.ssh.run(no_more.stop(), ssh_end.stop());
        ssh_ended.request();
    });
    threads.start([&](const base::Stop&) { listeners.door.run(quiet.stop()); });
    threads.start([&](const base::Stop&) { listeners.control.run(quiet.stop()); });
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
    const Repositories repositories(state, user);
    recover(state, *store, repositories);

    std::optional<RegistryChild> child;
    if (config.registry.url.empty())
        child.emplace(state, parse_address(config.registry.listen),
                      choose_user("", config.registry.system_user, "registry.system_user"));
    const auto registry = choose_registry(config, child ? &*child : nullptr);
    auto ssh = listen_on(parse_address(config.ssh.listen));
    auto http = open_http_sockets(config);
    const auto metrics_address = http.metrics ? http.metrics->address.render() : std::string();
    api::Metrics metrics;
    Queue queue(*store, queue_settings(config, state, programs, *store, registry));
    const Site site{config,
                    state,
                    *store,
                    queue,
                    repositories,
                    registry,
                    version,
                    ssh.address.host,
                    ssh.address.port,
                    open_host_keys(state.host_keys()),
                    programs.launcher,
                    programs.buildpacks,
                    public_url(config, http.web)};
    api::Api api(site, metrics);
    Control control(site);
    SshListener* ssh_listener = nullptr;
    Door door(site,
              [&ssh_listener](pid_t child_pid) { ssh_listener->note_authenticated(child_pid); });
    Listeners listeners{
        SshListener(std::move(ssh), ssh_settings(config, state, site, user)),
        LocalListener(wire::listen_at(state.door_socket(), 0660, user.gid), {user.uid},
                      [&](auto&... arguments) { return door.answer(arguments...); }),
        LocalListener(wire::listen_at(state.control_socket(), 0600), {},
                      [&](auto&... arguments) { return control.answer(arguments...); }),
        HttpListeners(config, api, std::move(http), wire::listen_at(state.api_socket(), 0600)),
        api};
    ssh_listener = &listeners.ssh;
    write_addresses(site, metrics_address);
    run(listeners, queue, config, drain, end);
}

} // namespace server
