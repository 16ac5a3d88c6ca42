#include "api_client.h"
#include "context.h"

#include "base/error.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>
#include <unistd.h>

namespace cli {
namespace {

using base::json::Value;

std::string last_build(const Value& app) {
    const auto it = app.find("last_build");
    if (it == app.end() || it->is_null()) return {};
    return text_of(*it, "id") + " (" + text_of(*it, "state") + ")";
}

std::string owner_of(const Value& app) {
    const auto it = app.find("owner");
    return it != app.end() && it->is_object() ? text_of(*it, "username") : "";
}

void print_app(const Value& app) {
    print_fields({{"App", text_of(app, "name")},
                  {"Owner", owner_of(app)},
                  {"Push to", text_of(app, "repository_url")},
                  {"Image", text_of(app, "image")},
                  {"Digest", text_of(app, "digest")},
                  {"Last build", last_build(app)},
                  {"Created", time_of(app, "created_at")}});
}

void create(const Context& context, const std::string& name, const std::string& owner,
            const std::string& repository) {
    Value wanted{{"name", name}};
    if (!owner.empty()) wanted["owner"] = owner;
    if (!repository.empty()) wanted["repository"] = repository;
    const auto app = member(context.api().post(api_path({"apps"}), {{"app", wanted}}), "app");
    if (context.json) return print_json(app);
    print_app(app);
    print_line("\nPush to it:  git push " + text_of(app, "repository_url") + " main");
}

void list(const Context& context) {
    const auto apps = context.api().list(api_path({"apps"}), "apps");
    if (context.json) return print_json({{"apps", apps}});
    std::vector<Row> rows;
    for (const auto& app : apps)
        rows.push_back({text_of(app, "name"), last_build(app), text_of(app, "repository_url")});
    print_table({"APP", "LAST BUILD", "PUSH TO"}, rows);
}

void info(const Context& context, const std::string& name) {
    const auto app = member(context.api().get(api_path({"apps", name})), "app");
    context.json ? print_json(app) : print_app(app);
}

// The name typed again, in the option or at a terminal: nothing brings the app back.
void destroy(const Context& context, const std::string& name, std::string confirm) {
    if (confirm.empty() && ::isatty(0)) {
        std::cout << "This removes " << name << ", its repository and its builds. Type its name: ";
        std::getline(std::cin, confirm);
    }
    if (confirm != name)
        throw base::Error(base::ErrorKind::invalid_input, "nothing was destroyed",
                          "Confirm with --confirm " + name);
    context.api().remove(api_path({"apps", name}), {{"current_name", confirm}});
    context.json ? print_json({{"name", name}}) : print_line("Destroyed " + name);
}

} // namespace

void add_apps(CLI::App& root, Context& context) {
    auto* apps = root.add_subcommand("apps", "apps and their repositories");
    apps->require_subcommand(1);
    const auto name = std::make_shared<std::string>(), confirm = std::make_shared<std::string>(),
               owner = std::make_shared<std::string>(),
               repository = std::make_shared<std::string>();
    auto* created = apps->add_subcommand("create", "make an app");
    created->add_option("app", *name, "its name")->required();
    created->add_option("--owner", *owner,
                        "whose share of the workers its builds use (default: its own)");
    created->add_option("--repository", *repository,
                        "where its images are in the registry: acme/shop/web (default: its name)");
    created->callback([=, &context] { create(context, *name, *owner, *repository); });
    apps->add_subcommand("list", "all apps")->callback([&context] { list(context); });
    auto* shown = apps->add_subcommand("info", "one app");
    add_app_option(*shown, name);
    shown->callback([&context, name] { info(context, *name); });
    auto* destroyed = apps->add_subcommand("destroy", "remove an app and all it has");
    add_app_option(*destroyed, name);
    destroyed->add_option("--confirm", *confirm, "its name again");
    destroyed->callback([&context, name, confirm] { destroy(context, *name, *confirm); });
}

} // namespace cli
