// `slipway buildpacks`: an app's own ordered list.
#include "context.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

void print_list(const Context& context, const Value& answer) {
    if (context.json) return print_json(answer);
    const auto& uris = answer.at("buildpacks");
    const auto app = text_of(answer, "app");
    if (uris.empty())
        return print_line(app + " has no list of its own: its source decides, else detection");
    print_line("Builds of " + app + " use, in this order:");
    for (std::size_t i = 0; i < uris.size(); ++i)
        print_line("  " + std::to_string(i + 1) + ". " + uris[i].get<std::string>());
}

void set(const Context& context, const std::string& app, const std::vector<std::string>& uris) {
    print_list(context,
               context.call({{"verb", "apps.buildpacks"}, {"app", app}, {"buildpacks", uris}}));
}

void show(const Context& context, const std::string& app) {
    print_list(context, context.call({{"verb", "apps.buildpacks"}, {"app", app}}));
}

} // namespace

void add_buildpacks(CLI::App& root, Context& context) {
    auto* buildpacks = root.add_subcommand("buildpacks", "which buildpacks an app is built with");
    buildpacks->require_subcommand(1);
    const auto app = std::make_shared<std::string>();
    const auto uris = std::make_shared<std::vector<std::string>>();
    auto* listed = buildpacks->add_subcommand("list", "the app's list");
    listed->add_option("app", *app, "its name")->required();
    listed->callback([&context, app] { show(context, *app); });
    auto* changed = buildpacks->add_subcommand("set", "give the app a list, in order");
    changed->add_option("app", *app, "its name")->required();
    changed->add_option("buildpack", *uris, "id, git or archive URL, image")->required();
    changed->callback([&context, app, uris] { set(context, *app, *uris); });
    auto* cleared = buildpacks->add_subcommand("clear", "let the app's source decide again");
    cleared->add_option("app", *app, "its name")->required();
    cleared->callback([&context, app] { set(context, *app, {}); });
}

} // namespace cli
