#include "api_client.h"
#include "context.h"

#include "base/error.h"
#include "base/fd.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>

namespace cli {
namespace {

using base::json::Value;

constexpr std::size_t longest_key = 64u << 10;

std::string read_key(const std::string& file) {
    if (file == "-") return base::read_to_end(0, longest_key);
    if (!file.empty()) return base::read_file(file, longest_key);
    const char* home = std::getenv("HOME");
    for (const char* name : {"id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"}) {
        const auto usual = std::filesystem::path(home ? home : "/") / ".ssh" / name;
        if (std::filesystem::exists(usual)) return base::read_file(usual, longest_key);
    }
    throw base::Error(base::ErrorKind::not_found, "there is no key in ~/.ssh",
                      "Name a .pub file, or make a key with: ssh-keygen -t ed25519");
}

std::string apps_of(const Value& key) {
    const auto apps = base::json::get_strings(key, "apps");
    return apps.empty() ? "every app" : join(apps, ",");
}

void add(const Context& context, const std::string& name, const std::string& file,
         const std::vector<std::string>& apps) {
    const Value wanted{{"key", {{"name", name}, {"key", read_key(file)}, {"apps", apps}}}};
    const auto key = member(context.api().post(api_path({"keys"}), wanted), "key");
    if (context.json) return print_json(key);
    print_line("Added " + text_of(key, "name") + " (" + text_of(key, "fingerprint") + ") for " +
               apps_of(key));
}

void list(const Context& context) {
    const auto keys = context.api().list(api_path({"keys"}), "keys");
    if (context.json) return print_json({{"keys", keys}});
    std::vector<Row> rows;
    for (const auto& key : keys)
        rows.push_back({text_of(key, "name"), text_of(key, "type"), text_of(key, "fingerprint"),
                        apps_of(key), time_of(key, "added_at")});
    print_table({"NAME", "TYPE", "FINGERPRINT", "APPS", "ADDED"}, rows);
}

void remove(const Context& context, const std::string& name) {
    context.api().remove(api_path({"keys", name}));
    context.json ? print_json({{"name", name}}) : print_line("Removed " + name);
}

} // namespace

void add_keys(CLI::App& root, Context& context) {
    auto* keys = root.add_subcommand("keys", "SSH keys that may push");
    keys->require_subcommand(1);
    const auto name = std::make_shared<std::string>(), file = std::make_shared<std::string>();
    const auto apps = std::make_shared<std::vector<std::string>>();
    auto* added = keys->add_subcommand("add", "let a key push");
    added->add_option("name", *name, "what to call it")->required();
    added->add_option("file", *file,
                      "the .pub file, - for standard input; default: yours in ~/.ssh");
    added->add_option("--app", *apps, "only these apps (default: every app)");
    added->callback([=, &context] { add(context, *name, *file, *apps); });
    keys->add_subcommand("list", "all keys")->callback([&context] { list(context); });
    auto* removed = keys->add_subcommand("remove", "take a key away");
    removed->add_option("name", *name, "its name")->required();
    removed->callback([&context, name] { remove(context, *name); });
}

} // namespace cli
