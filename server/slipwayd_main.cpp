// slipwayd: reads its command line and its configuration, turns signals into stops, serves.
#include "server/config.h"
#include "server/server.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace {

// Alive for the whole program: a signal may come at any time.
base::StopSource* drain = nullptr;
base::StopSource* end = nullptr;

void on_signal(int) {
    if (drain->stop().requested()) end->request();
    drain->request();
}

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
}

// Every connection is a process and a few descriptors of ours; the usual 1024 is soft only.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// A core would hold every key and token; nor may another process of our user read our memory.
void keep_memory_private() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none); // the children inherit it, the workers among them
    ::prctl(PR_SET_DUMPABLE, 0);
}

// A thread's heap shrinks and grows with every request: each time it shrank, all processors would
// be told, and its pages faulted in again.
void keep_some_heap() {
    ::mallopt(M_TRIM_THRESHOLD, 1 << 20); // of each of the few heaps that threads share
}

base::log::Level level_of(const std::string& name) {
    if (name == "debug") return base::log::Level::debug;
    if (name == "warning") return base::log::Level::warning;
    return name == "error" ? base::log::Level::error : base::log::Level::info;
}

int fail(const base::Error& error) {
    std::fprintf(stderr, "slipwayd: %s\n", error.describe().c_str());
    if (!error.hint().empty()) std::fprintf(stderr, "  %s\n", error.hint().c_str());
    return error.kind() == base::ErrorKind::invalid_input ? 2 : 1;
}

void print_keys() {
    std::puts("| key | type | default | environment | meaning |\n|---|---|---|---|---|");
    for (const auto& key : server::config_keys()) std::puts(server::document(key).c_str());
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("The Slipway server: git push in, image digest out.");
    std::optional<std::string> config_file, state;
    bool check = false, version = false, list_keys = false, list_failpoints = false;
    app.add_option("--config", config_file, "TOML file (docs/configuration.md)");
    app.add_option("--state", state, "directory of everything the server keeps");
    app.add_flag("--check-config", check, "read the configuration, say what is wrong, and end");
    app.add_flag("--list-keys", list_keys, "print the configuration's keys as a table");
    app.add_flag("--list-failpoints", list_failpoints)->group(""); // for the crash test
    app.add_flag("--version", version, "print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (version) return std::puts("slipwayd " SLIPWAY_VERSION), 0;
    if (list_keys) return print_keys(), 0;
    if (list_failpoints) {
        for (const auto name : base::failpoints) std::puts(std::string(name).c_str());
        return 0;
    }
    try {
        auto config =
            server::load_config(config_file, [](const char* name) { return std::getenv(name); });
        if (state) config.state = std::filesystem::absolute(*state).lexically_normal();
        if (check) return std::puts("The configuration is valid."), 0;
        base::log::open("slipwayd", level_of(config.log.level));
        base::StopSource drain_source, end_source;
        drain = &drain_source;
        end = &end_source;
        catch_signals();
        raise_descriptor_limit();
        keep_memory_private();
        keep_some_heap();
        server::serve(config, SLIPWAY_VERSION, drain_source.stop(), end_source.stop());
        return 0;
    } catch (const base::Error& error) {
        return fail(error);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "slipwayd: %s\n", error.what());
        return 1;
    }
}
