// What an operator may set. A value, read once at the start. Order: the built-in defaults, the
// TOML file, the environment (SLIPWAY_SECTION_KEY). docs/configuration.md has a line for each key;
// a test compares it with config_keys().
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server {

struct Config {
    std::filesystem::path state = "/var/lib/slipway";

    struct Server {
        std::chrono::seconds drain{600};
    } server;
    struct Database {
        std::string url; // empty: SQLite in the state directory
        std::filesystem::path password_file;
    } database;
    struct Ssh {
        std::string listen = "127.0.0.1:2222";
        std::string host;
        std::string user;
        std::chrono::seconds login_timeout{30};
        std::uint64_t max_unauthenticated = 100;
        std::uint64_t max_connections = 200;
        std::uint64_t max_per_address = 100;
    } ssh;
    struct Http {
        std::string listen = "127.0.0.1:8080";
        std::string url;
        std::filesystem::path tls_certificate;
        std::filesystem::path tls_key;
        std::uint64_t max_connections = 2000;
        std::uint64_t max_per_address = 500;
        std::uint64_t max_requests = 1200;
        std::uint64_t max_failed_logins = 30;
        std::vector<std::string> trusted_proxies;
        std::string proxy_header = "X-Forwarded-For";
        std::uint64_t least_rate = 1024; // bytes a second
    } http;
    struct MetricsListener {
        std::string listen;
    } metrics;
    struct Git {
        std::vector<std::string> branches{"main", "master"};
        std::uint64_t push_size = 2ull << 30;
    } git;
    struct Registry {
        std::string url;
        std::string listen = "127.0.0.1:5000";
        std::string public_listen;
        std::string public_host;
        std::vector<std::string> insecure;
        std::string user;
        std::filesystem::path password_file;
        std::filesystem::path client_certificate;
        std::filesystem::path client_key;
        std::string system_user = "docker-registry";
        std::string compression = "gzip";
        std::string proof = "yes"; // or "no"
        std::chrono::seconds keep{7 * 24 * 3600};
        std::uint64_t kept_size = 5ull << 30;
    } registry;
    struct Sandbox {
        std::string runtime = "crun";
        std::string network = "internet";
        std::uint64_t memory = 4ull << 30;
        std::uint64_t pids = 2048;
        double cpus = 0;
        std::chrono::seconds time{1800};
        std::chrono::seconds silence{600};
        std::uint64_t first_id = 231072;
    } sandbox;
    struct Build {
        std::uint64_t workers = 1;
        std::uint64_t queue = 50;
        std::uint64_t queue_of_owner = 25;
        std::filesystem::path ca_certificates;
        std::map<std::string, std::string> environment;
        std::uint64_t log_size = 64ull << 20;
        std::uint64_t source_size = 2ull << 30;
        std::uint64_t source_entries = 500'000;
        std::uint64_t source_depth = 128;
        std::uint64_t source_ratio = 1000;
        std::chrono::seconds source_time{600};
        std::uint64_t free_space = 256ull << 20;
        std::string slugignore = "after";
        std::string classic_variables = "files";
        std::string classic_stack;
        std::uint64_t cache_size = 5ull << 30;
        std::chrono::seconds same_inputs{7 * 24 * 3600};
    } build;
    struct Retention {
        std::chrono::seconds builds{90 * 24 * 3600};
        std::uint64_t builds_kept = 20;
        std::chrono::seconds logs{30 * 24 * 3600};
        std::uint64_t logs_size = 5ull << 30;
        std::chrono::seconds uploads{24 * 3600};
        std::chrono::seconds caches{30 * 24 * 3600};
        std::uint64_t caches_size = 0;
        std::chrono::seconds buildpacks{30 * 24 * 3600};
        std::chrono::seconds layers{7 * 24 * 3600};
        std::chrono::seconds images{24 * 3600};
        std::chrono::seconds notices{30 * 24 * 3600};
        std::uint64_t free_space = 1ull << 30;
    } retention;
    struct Buildpacks {
        std::vector<std::string> allowed_private_hosts;
        std::string submodules = "no";
    } buildpacks;
    struct Network {
        std::vector<std::string> allowed_private_hosts;
    } network;
    struct Webhooks {
        std::chrono::seconds check_interval{600};
        std::chrono::seconds keep{30 * 24 * 3600};
    } webhooks;
    struct Upload {
        std::uint64_t size = 2ull << 30;
        std::chrono::seconds time{900};
    } upload;
    struct Secrets {
        std::filesystem::path key_file;
    } secrets;
    struct Log {
        std::string level = "info";
    } log;
    struct Paths {
        std::filesystem::path programs;
        std::filesystem::path launcher;
        std::vector<std::string> buildpacks;
    } paths;
};

// nullptr for what is not set; std::getenv is one.
using Environment = std::function<const char*(const char* name)>;

// Throws Error{invalid_input} whose message starts with FILE:LINE for what the file has wrong, an
// unknown key included, and with the variable's name for the environment.
Config load_config(const std::optional<std::filesystem::path>& file,
                   const Environment& environment);

// For the documentation.
struct ConfigKey {
    std::string name;          // "ssh.listen"
    std::string variable;      // "SLIPWAY_SSH_LISTEN"
    std::string type;          // "size", "duration", "text", ...
    std::string default_value; // as one would write it; empty when there is none
    std::string meaning;
};
std::vector<ConfigKey> config_keys();
std::string document(const ConfigKey& key); // its line in docs/configuration.md

} // namespace server
