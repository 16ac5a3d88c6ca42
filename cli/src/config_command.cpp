// `slipway config`: an app's config vars.
#include "api_client.h"
#include "context.h"
#include "terminal.h"

#include "base/error.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>
#include <utility>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t most_variables = 1000;
constexpr auto set_usage = "slipway config set APP NAME=VALUE... (NAME=- NAME=@FILE)";
constexpr auto unset_usage = "slipway config unset APP NAME...";
constexpr auto get_usage = "slipway config get APP NAME";

struct Use {
    bool build_only = false, run_only = false, values = false;
};

Value ask(const Context& context, const std::string& app, bool values) {
    Query query;
    if (values) query.emplace_back("values", "");
    return context.api().list(api_path({"apps", app, "variables"}), "variables", query);
}

void change(const Context& context, const std::string& app, const Value& variables,
            const std::string& done) {
    const auto answer =
        context.api().patch(api_path({"apps", app, "variables"}), {{"variables", variables}});
    if (context.json) return print_json(answer);
    print_line(done + "; the next build of " + app + " uses it");
}

void set(const Context& context, const AppWords& given, const Use& use) {
    const auto taken = take_app(given, set_usage, 1, most_variables);
    if (use.build_only && use.run_only)
        throw Error(ErrorKind::invalid_input, "--build-only and --run-only exclude each other");
    auto variables = Value::array();
    std::vector<std::string> names;
    bool input_taken = false;
    for (const auto& word : taken.words) {
        if (word.ends_with("=-") && std::exchange(input_taken, true))
            throw Error(ErrorKind::invalid_input,
                        "standard input can be the value of one variable only");
        auto [name, value] = read_assignment(word);
        Value variable{{"name", name}, {"value", value.reveal()}};
        variable["use"] = use.build_only ? "build" : use.run_only ? "run" : "both";
        variables.push_back(std::move(variable));
        names.push_back(std::move(name));
    }
    change(context, taken.app, variables, "Set " + join(names, ", "));
}

void unset(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, unset_usage, 1, most_variables);
    auto variables = Value::array();
    for (const auto& name : taken.words) variables.push_back({{"name", name}, {"value", nullptr}});
    change(context, taken.app, variables, "Unset " + join(taken.words, ", "));
}

void list(const Context& context, const std::string& app, const Use& use) {
    const auto variables = ask(context, app, use.values);
    if (context.json) return print_json({{"variables", variables}});
    std::vector<Row> rows;
    for (const auto& variable : variables) {
        rows.push_back(
            {text_of(variable, "name"), text_of(variable, "use"), time_of(variable, "changed_at")});
        if (use.values) rows.back().push_back(text_of(variable, "value"));
    }
    use.values ? print_table({"NAME", "USE", "CHANGED", "VALUE"}, rows)
               : print_table({"NAME", "USE", "CHANGED"}, rows);
}

// As it is, for scripts: no newline is added behind a value that has one.
void get(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, get_usage, 1, 1);
    const auto& name = taken.words.front();
    for (const auto& variable : ask(context, taken.app, true)) {
        if (base::json::find_string(variable, "name") != name) continue;
        if (context.json) return print_json(variable);
        return print_line(base::json::find_string(variable, "value").value_or(""));
    }
    throw Error(ErrorKind::not_found, taken.app + " has no variable " + base::quoted(name),
                "slipway config list " + taken.app + " shows those that are there.");
}

void rotate_key(const Context& context) {
    const auto answer = context.api().post(api_path({"variables", "rotate"}), Value::object());
    if (context.json) return print_json(answer);
    print_line("Everything sealed is sealed with a fresh key now");
}

} // namespace

void add_config(CLI::App& root, Context& context) {
    auto* config = root.add_subcommand("config", "config vars: what builds and apps are told");
    config->require_subcommand(1);
    const auto use = std::make_shared<Use>();
    auto* changed = config->add_subcommand("set", "set variables, all or none");
    changed->add_flag("--build-only", use->build_only, "for builds, not for the running app");
    changed->add_flag("--run-only", use->run_only, "for the running app, not for builds");
    const auto assigned = add_app_words(*changed, set_usage);
    changed->callback([=, &context] { set(context, *assigned, *use); });
    auto* removed = config->add_subcommand("unset", "take variables away");
    const auto named = add_app_words(*removed, unset_usage);
    removed->callback([=, &context] { unset(context, *named); });
    const auto app = std::make_shared<std::string>();
    auto* listed = config->add_subcommand("list", "their names and uses");
    add_app_option(*listed, app);
    listed->add_flag("--values", use->values, "show the values too");
    listed->callback([=, &context] { list(context, *app, *use); });
    auto* shown = config->add_subcommand("get", "the value of one");
    const auto wanted = add_app_words(*shown, get_usage);
    shown->callback([=, &context] { get(context, *wanted); });
    config->add_subcommand("rotate-key", "seal everything anew with a fresh key (all apps)")
        ->callback([&context] { rotate_key(context); });
}

} // namespace cli
