// `slipway buildpacks`: an app's own ordered list.
#include "api_client.h"
#include "context.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

void print_list(const Context& context, const Value& app) {
    const auto name = text_of(app, "name");
    auto uris = app.value("buildpacks", Value::array());
    if (uris.is_null()) uris = Value::array();
    if (context.json) return print_json({{"app", name}, {"buildpacks", uris}});
    if (uris.empty())
        return print_line(name + " has no list of its own: its source decides, else detection");
    print_line("Builds of " + name + " use, in this order:");
    for (std::size_t i = 0; i < uris.size(); ++i)
        print_line("  " + std::to_string(i + 1) + ". " + uris[i].get<std::string>());
}

void set(const Context& context, const std::string& app, const std::vector<std::string>& uris) {
    const Value change{{"app", {{"buildpacks", uris}}}};
    print_list(context, member(context.api().patch(api_path({"apps", app}), change), "app"));
}

void show(const Context& context, const std::string& app) {
    print_list(context, member(context.api().get(api_path({"apps", app})), "app"));
}

constexpr auto set_usage = "slipway buildpacks set APP BUILDPACK...";

} // namespace

void add_buildpacks(CLI::App& root, Context& context) {
    auto* buildpacks = root.add_subcommand("buildpacks", "which buildpacks an app is built with");
    buildpacks->require_subcommand(1);
    const auto app = std::make_shared<std::string>();
    auto* listed = buildpacks->add_subcommand("list", "the app's list");
    add_app_option(*listed, app);
    listed->callback([&context, app] { show(context, *app); });
    auto* changed = buildpacks->add_subcommand(
        "set", "give the app a list, in order: ids, git or archive URLs, images");
    const auto given = add_app_words(*changed, set_usage);
    changed->callback([&context, given] {
        const auto taken = take_app(*given, set_usage, 1, 100);
        set(context, taken.app, taken.words);
    });
    auto* cleared = buildpacks->add_subcommand("clear", "let the app's source decide again");
    add_app_option(*cleared, app);
    cleared->callback([&context, app] { set(context, *app, {}); });
}

} // namespace cli
