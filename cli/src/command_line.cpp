#include "cli/command_line.h"

#include "cli/exit_code.h"

#include "context.h"
#include "words.h"

#include "base/error.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace cli {
namespace {

base::StopSource* interrupt = nullptr; // alive until the program ends

void on_signal(int) {
    interrupt->request();
}

int report(const base::Error& error, const Context& context) {
    print_error(error, context.json);
    return exit_code_of(error.kind());
}

void add_commands(CLI::App& app, Context& context) {
    app.require_subcommand(1);
    app.fallthrough(); // --json may stand anywhere
    app.add_flag("--json", context.json, "print JSON");
    app.add_option("--server", context.server,
                   "a server elsewhere (or SLIPWAY_SERVER; local: the one of this machine)");
    app.add_option("--ca-file", context.ca_file,
                   "PEM file of the authority of its certificate (or SLIPWAY_CA_FILE)")
        ->check(CLI::ExistingFile);
    app.add_option("--socket", context.socket, "the server's control.sock");
    app.add_option("--state", context.state,
                   "the server's state directory (or SLIPWAY_STATE; default /var/lib/slipway)");
    app.set_version_flag("--version", "slipway " + context.version);
    add_apps(app, context);
    add_keys(app, context);
    add_builds(app, context);
    add_stack(app, context);
    add_deploy(app, context);
    add_config(app, context);
    add_webhooks(app, context);
    add_notifications(app, context);
    add_tokens(app, context);
    add_login(app, context);
    add_verify(app, context);
    add_inspect(app, context);
    add_rebase(app, context);
    add_copy(app, context);
    add_index(app, context);
    add_prune(app, context);
    add_build(app, context);
    add_buildpacks(app, context);
    add_buildpack(app, context);
    add_builder(app, context);
    add_doctor(app, context);
    add_completion(app, context);
}

// CLI11 takes them from the back.
std::vector<std::string> words_of(const CLI::App& app, int argc, char** argv) {
    const auto nouns = app.get_subcommands([](const CLI::App*) { return true; });
    auto words = split_alias({argv + 1, argv + argc}, [&](const std::string& noun) {
        return std::any_of(nouns.begin(), nouns.end(),
                           [&](const CLI::App* known) { return known->get_name() == noun; });
    });
    std::reverse(words.begin(), words.end());
    return words;
}

} // namespace

int run(int argc, char** argv, const std::string& version) {
    base::StopSource source;
    interrupt = &source;
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    std::signal(SIGPIPE, SIG_IGN);
    Context context;
    context.version = version;
    context.interrupted = source.stop();
    CLI::App app("Slipway: git push in, image digest out. More: docs/cli.md", "slipway");
    add_commands(app, context);
    try {
        app.parse(words_of(app, argc, argv)); // runs the command too
        return context.exit_code;
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_code::ok : exit_code::usage;
    } catch (const base::Error& error) {
        return report(error, context);
    } catch (const std::exception& error) {
        std::fprintf(stderr, " !     %s\n", error.what());
        return exit_code::other;
    }
}

} // namespace cli
