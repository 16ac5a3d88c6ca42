#include "config_key_kinds.h"

#include "base/error.h"
#include "http/forwarded.h"

#include <algorithm>
#include <cctype>

namespace server {
namespace {

// config_keys.cpp is read by operators who look for a key: one call a key, in the document's order.
std::vector<Key> server_keys() {
    return {
        file(
            "state", [](Config & c) -> auto& { return c.state; },
            "Directory of everything the server keeps."),
        duration(
            "server.drain", [](Config & c) -> auto& { return c.server.drain; },
            "How long SIGTERM waits for running builds; a second SIGTERM does not wait."),
        text(
            "database.url", [](Config & c) -> auto& { return c.database.url; },
            "PostgreSQL that keeps what the server knows, `postgresql://USER@HOST/DATABASE`; "
            "empty: SQLite in the state directory."),
        file(
            "database.password_file", [](Config & c) -> auto& { return c.database.password_file; },
            "File whose first line is that user's password."),
        address(
            "ssh.listen", [](Config & c) -> auto& { return c.ssh.listen; },
            "Address and port of the SSH door; port 0 takes a free one."),
        text(
            "ssh.host", [](Config & c) -> auto& { return c.ssh.host; },
            "Host name shown in repository URLs; empty: the address of `ssh.listen`."),
        text(
            "ssh.user", [](Config & c) -> auto& { return c.ssh.user; },
            "Unprivileged system user of the door and owner of the repositories; empty: `slipway` "
            "when a server started by root finds that user, else the server's own."),
        duration(
            "ssh.login_timeout", [](Config & c) -> auto& { return c.ssh.login_timeout; },
            "Time to prove a key."),
        number(
            "ssh.max_unauthenticated",
            [](Config & c) -> auto& { return c.ssh.max_unauthenticated; },
            "Connections that have not proved a key yet, at most; one address may hold half of "
            "them.",
            1),
        number(
            "ssh.max_connections", [](Config & c) -> auto& { return c.ssh.max_connections; },
            "Connections at once, at most.", 1),
        number(
            "ssh.max_per_address", [](Config & c) -> auto& { return c.ssh.max_per_address; },
            "Connections at once from one address, at most.", 1),
        list(
            "git.branches", [](Config & c) -> auto& { return c.git.branches; },
            "Branches whose push builds the app."),
        size(
            "git.push_size", [](Config & c) -> auto& { return c.git.push_size; },
            "Bytes of one push, at most."),
        choice(
            "log.level", [](Config & c) -> auto& { return c.log.level; },
            {"debug", "info", "warning", "error"}, "How much the server logs."),
    };
}

std::vector<Key> http_keys() {
    return {
        optional_address(
            "http.listen", [](Config & c) -> auto& { return c.http.listen; },
            "Address and port of the HTTP API; port 0 takes a free one; empty: none but the local "
            "socket."),
        {"http.url", "text",
         "The server's URL as others reach it, `https://builds.example.com`: in links, in "
         "webhooks' addresses; empty: made from `http.listen`.",
         [](Config& c, std::string_view text, const path&) { c.http.url = parse_base_url(text); },
         [](const Config& c) { return c.http.url; }},
        file(
            "http.tls_certificate", [](Config & c) -> auto& { return c.http.tls_certificate; },
            "PEM file of the API's certificate and its chain, read again when it changes; empty: "
            "plain HTTP, for a machine's own programs or behind a proxy that speaks TLS."),
        file(
            "http.tls_key", [](Config & c) -> auto& { return c.http.tls_key; },
            "PEM file of that certificate's private key."),
        number(
            "http.max_connections", [](Config & c) -> auto& { return c.http.max_connections; },
            "Connections at once, at most.", 1),
        number(
            "http.max_per_address", [](Config & c) -> auto& { return c.http.max_per_address; },
            "Connections at once from one address, at most.", 1),
        number(
            "http.max_requests", [](Config & c) -> auto& { return c.http.max_requests; },
            "Requests of one token in a minute, at most; 0: no limit."),
        number(
            "http.max_failed_logins", [](Config & c) -> auto& { return c.http.max_failed_logins; },
            "Wrong tokens from one address in a minute, at most; then it waits. 0: no limit."),
        checked(
            list(
                "http.trusted_proxies", [](Config & c) -> auto& { return c.http.trusted_proxies; },
                "Addresses and networks (`10.0.0.0/8`) of the proxies before us: what they say of "
                "a client's address counts in limits and logs."),
            [](std::string_view text) { http::AddressRanges{parse_list(text)}; }),
        choice(
            "http.proxy_header", [](Config & c) -> auto& { return c.http.proxy_header; },
            {"X-Forwarded-For", "Forwarded"},
            "The header in which they say it, that they set themselves; the other one is not "
            "read."),
        checked(
            size(
                "http.least_rate", [](Config & c) -> auto& { return c.http.least_rate; },
                "Bytes a second at which a client sends its request's body and takes the answer, "
                "at least, while it is waited for (looked at every 30 s); not 0."),
            [](std::string_view text) {
                if (parse_size(text) == 0)
                    throw base::Error(base::ErrorKind::invalid_input,
                                      "with 0 a client that sends nothing would stay for ever");
            }),
        optional_address(
            "metrics.listen", [](Config & c) -> auto& { return c.metrics.listen; },
            "Address and port where Prometheus reads `/metrics`, without a token: of a network "
            "that only you reach. Empty: nowhere."),
    };
}

std::vector<Key> registry_keys() {
    return {
        text(
            "registry.url", [](Config & c) -> auto& { return c.registry.url; },
            "Registry that images are pushed to, `host[:port][/prefix]`; empty: the server runs "
            "Debian's docker-registry itself."),
        address(
            "registry.listen", [](Config & c) -> auto& { return c.registry.listen; },
            "Loopback address and port of that own registry, for builds and for this machine; "
            "port 0 takes a free one."),
        optional_address(
            "registry.public_listen", [](Config & c) -> auto& { return c.registry.public_listen; },
            "Address and port at which other machines reach it, too, with the certificate of "
            "`http.tls_certificate`; empty: they do not."),
        text(
            "registry.public_host", [](Config & c) -> auto& { return c.registry.public_host; },
            "Its name for people, `host[:port]`; empty: the host of `http.url`, or this machine's "
            "name, with the port of `registry.public_listen`."),
        list(
            "registry.insecure", [](Config & c) -> auto& { return c.registry.insecure; },
            "Registries spoken to in plain HTTP; loopback addresses always are."),
        text(
            "registry.user", [](Config & c) -> auto& { return c.registry.user; },
            "User at `registry.url`."),
        file(
            "registry.password_file", [](Config & c) -> auto& { return c.registry.password_file; },
            "File whose first line is that user's password."),
        file(
            "registry.client_certificate",
            [](Config & c) -> auto& { return c.registry.client_certificate; },
            "PEM file of the certificate (and its chain) that `registry.url` is shown."),
        file(
            "registry.client_key", [](Config & c) -> auto& { return c.registry.client_key; },
            "PEM file of that certificate's private key, without a pass phrase."),
        text(
            "registry.system_user", [](Config & c) -> auto& { return c.registry.system_user; },
            "System user that the own registry runs as, when the server is root and it exists."),
        choice(
            "registry.compression", [](Config & c) -> auto& { return c.registry.compression; },
            {"gzip", "zstd"},
            "Of the layers that builds make. `zstd` is smaller and as quick; umoci and old "
            "engines do not read it."),
        choice(
            "registry.proof", [](Config & c) -> auto& { return c.registry.proof; }, {"yes", "no"},
            "Whether each image gets its signature, provenance, bills of materials and log beside "
            "it; a build whose image cannot get them is broken."),
        duration(
            "registry.keep", [](Config & c) -> auto& { return c.registry.keep; },
            "How long a finished image is kept and sent again when the registry is away; 0s: the "
            "build is broken at once."),
        size(
            "registry.kept_size", [](Config & c) -> auto& { return c.registry.kept_size; },
            "Bytes of all images that are kept so, at most."),
    };
}

std::vector<Key> build_keys() {
    return {
        number(
            "build.workers", [](Config & c) -> auto& { return c.build.workers; },
            "Builds at the same time (of different apps).", 1),
        number(
            "build.queue", [](Config & c) -> auto& { return c.build.queue; },
            "Builds waiting, at most.", 1),
        number(
            "build.queue_of_owner", [](Config & c) -> auto& { return c.build.queue_of_owner; },
            "Builds of one owner waiting, at most; 0: no limit of its own."),
        file(
            "build.ca_certificates", [](Config & c) -> auto& { return c.build.ca_certificates; },
            "PEM file of extra CA certificates for builds and for the registry."),
        {"build.environment", "table",
         "Variables given to buildpacks, such as NPM_CONFIG_REGISTRY; in the environment variable: "
         "`K=V` separated by spaces.",
         [](Config& c, std::string_view text, const path&) {
             c.build.environment = parse_table(text);
         },
         [](const Config&) { return std::string(); }},
        size(
            "build.log_size", [](Config & c) -> auto& { return c.build.log_size; },
            "Bytes of one build's log, at most."),
        size(
            "build.source_size", [](Config & c) -> auto& { return c.build.source_size; },
            "Bytes of one source tree, at most."),
        number(
            "build.source_entries", [](Config & c) -> auto& { return c.build.source_entries; },
            "Files and directories of one source tree, at most.", 1),
        number(
            "build.source_depth", [](Config & c) -> auto& { return c.build.source_depth; },
            "Directories in one another in a source tree, at most.", 1),
        number(
            "build.source_ratio", [](Config & c) -> auto& { return c.build.source_ratio; },
            "How many times an archive may grow when it is unpacked.", 1),
        duration(
            "build.source_time", [](Config & c) -> auto& { return c.build.source_time; },
            "Time to download and unpack one source, at most."),
        size(
            "build.free_space", [](Config & c) -> auto& { return c.build.free_space; },
            "No new build starts with less free space in the state directory."),
        size(
            "build.cache_size", [](Config & c) -> auto& { return c.build.cache_size; },
            "Bytes of one app's cache, at most; the layers that were not used for longest leave "
            "first. 0: no limit."),
        duration(
            "build.same_inputs", [](Config & c) -> auto& { return c.build.same_inputs; },
            "How long an image answers for later builds of its app from the same inputs, instead "
            "of "
            "a build; 0s: never."),
        choice(
            "build.slugignore", [](Config & c) -> auto& { return c.build.slugignore; },
            {"after", "before"},
            "When `.slugignore` takes files out of a build with classic buildpacks: after it or "
            "before it."),
        choice(
            "build.classic_variables",
            [](Config & c) -> auto& { return c.build.classic_variables; }, {"files", "environment"},
            "How classic buildpacks get the variables: as files in ENV_DIR, or in the environment "
            "of `bin/compile` too."),
        text(
            "build.classic_stack", [](Config & c) -> auto& { return c.build.classic_stack; },
            "`STACK` of classic buildpacks, such as `heroku-24`; empty: what the build image says, "
            "else the stack's name."),
        text(
            "sandbox.runtime", [](Config & c) -> auto& { return c.sandbox.runtime; },
            "OCI runtime that runs buildpacks: crun or runc, or a path to one."),
        choice(
            "sandbox.network", [](Config & c) -> auto& { return c.sandbox.network; },
            {"internet", "none"}, "What buildpacks may reach."),
        size(
            "sandbox.memory", [](Config & c) -> auto& { return c.sandbox.memory; },
            "Memory of one build, at most."),
        number(
            "sandbox.pids", [](Config & c) -> auto& { return c.sandbox.pids; },
            "Processes and threads of one build, at most.", 16),
        {"sandbox.cpus", "number", "Processors of one build; 0: all.",
         [](Config& c, std::string_view text, const path&) { c.sandbox.cpus = parse_real(text); },
         [](const Config&) { return std::string("0"); }},
        duration(
            "sandbox.time", [](Config & c) -> auto& { return c.sandbox.time; },
            "Time of one build, at most."),
        duration(
            "sandbox.silence", [](Config & c) -> auto& { return c.sandbox.silence; },
            "Time without a byte of output, at most."),
        number(
            "sandbox.first_id", [](Config & c) -> auto& { return c.sandbox.first_id; },
            "First of the 65536 user and group ids that builds run as, when the server is root; "
            "another server of the machine may share them. Otherwise /etc/subuid decides.",
            65536),
    };
}

std::vector<Key> path_keys() {
    return {
        file(
            "secrets.key_file", [](Config & c) -> auto& { return c.secrets.key_file; },
            "File of the keys that seal config vars and webhooks' secrets in the database, made "
            "when it is not there; empty: `secrets.key` in the state directory. A backup needs "
            "both."),
        file(
            "paths.programs", [](Config & c) -> auto& { return c.paths.programs; },
            "Directory of slipway-ssh, slipway-hook and slipway-worker; empty: that of slipwayd."),
        file(
            "paths.launcher", [](Config & c) -> auto& { return c.paths.launcher; },
            "Directory of slipway-launch and slipway-init; empty: that of the programs."),
        list(
            "paths.buildpacks", [](Config & c) -> auto& { return c.paths.buildpacks; },
            "Directories of buildpacks, each with an order.toml; empty: "
            "`../share/slipway/buildpacks` beside the programs' directory."),
    };
}

} // namespace

const std::vector<Key>& key_table() {
    static const std::vector<Key> table = [] {
        std::vector<Key> keys;
        for (auto part : {server_keys(), http_keys(), registry_keys(), build_keys(), upkeep_keys(),
                          path_keys()})
            keys.insert(keys.end(), part.begin(), part.end());
        return keys;
    }();
    return table;
}

const Key* find_key(std::string_view name) {
    const auto& table = key_table();
    const auto it =
        std::find_if(table.begin(), table.end(), [&](const Key& key) { return key.name == name; });
    return it == table.end() ? nullptr : &*it;
}

std::string variable_of(std::string_view key_name) {
    std::string variable = "SLIPWAY_";
    for (const char c : key_name)
        variable += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return variable;
}

} // namespace server
