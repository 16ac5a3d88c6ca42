// `slipway tokens`: who may use the HTTP API.
#include "api_client.h"
#include "context.h"
#include "duration.h"

#include "base/error.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

struct NewToken {
    std::string name, expires;
    std::vector<std::string> apps; // "hello", "hello:read", "hello:deploy"
    bool admin = false;
};

// deploy is what most tokens are made for, in a CI's settings.
std::string scope_of(const std::string& app) {
    const auto colon = app.find(':');
    const auto right = colon == std::string::npos ? "deploy" : app.substr(colon + 1);
    if (right != "read" && right != "deploy" && right != "push")
        throw Error(ErrorKind::invalid_input, base::quoted(right) + " is no right over an app",
                    "--app NAME or NAME:deploy, NAME:read to look only, NAME:push for its images.");
    return "app:" + app.substr(0, colon) + ":" + right;
}

void create(const Context& context, const NewToken& wanted) {
    if (wanted.admin == !wanted.apps.empty())
        throw Error(ErrorKind::invalid_input, "a token is either for apps or for everything",
                    "--app NAME[:read] for an app (repeatable), --admin for the whole server.");
    auto scopes = Value::array();
    if (wanted.admin) scopes.push_back("server");
    for (const auto& app : wanted.apps) scopes.push_back(scope_of(app));
    Value request{{"name", wanted.name}, {"scopes", scopes}};
    if (!wanted.expires.empty()) request["expires_in"] = parse_duration(wanted.expires).count();
    const auto answer = context.api().post(api_path({"tokens"}), {{"token", request}});
    const auto token = member(answer, "token");
    if (context.json) return print_json(token);
    print_line(text_of(token, "token"));
    std::fprintf(stderr, "       This is shown once. It may: %s. It expires: %s.\n",
                 join(base::json::get_strings(token, "scopes"), ", ").c_str(),
                 time_of(token, "expires_at").empty() ? "never"
                                                      : time_of(token, "expires_at").c_str());
}

void list(const Context& context) {
    const auto tokens = context.api().list(api_path({"tokens"}), "tokens");
    if (context.json) return print_json({{"tokens", tokens}});
    std::vector<Row> rows;
    for (const auto& token : tokens) {
        const auto expires = time_of(token, "expires_at"), used = time_of(token, "last_used_at");
        rows.push_back({text_of(token, "name"), text_of(token, "prefix"),
                        join(base::json::get_strings(token, "scopes"), ", "),
                        time_of(token, "created_at"), expires.empty() ? "never" : expires,
                        used.empty() ? "never" : used});
    }
    print_table({"NAME", "BEGINS", "MAY", "CREATED", "EXPIRES", "LAST USED"}, rows);
}

void remove(const Context& context, const std::string& name) {
    context.api().remove(api_path({"tokens", name}));
    context.json ? print_json({{"name", name}})
                 : print_line("Removed " + name + ": nobody gets in with it any more");
}

} // namespace

void add_tokens(CLI::App& root, Context& context) {
    auto* tokens = root.add_subcommand("tokens", "who may use the HTTP API");
    tokens->require_subcommand(1);
    const auto wanted = std::make_shared<NewToken>();
    auto* created = tokens->add_subcommand("create", "make a token; its text is shown once");
    created->add_option("name", wanted->name, "what it is for")->required();
    created->add_option("--app", wanted->apps, "NAME, or NAME:read to look only (repeatable)")
        ->allow_extra_args(false);
    created->add_flag("--admin", wanted->admin, "everything, of every app");
    created->add_option("--expires", wanted->expires, "after 90d, 12h, 30m (default: never)");
    created->callback([&context, wanted] { create(context, *wanted); });
    tokens->add_subcommand("list", "all tokens")->callback([&context] { list(context); });
    const auto name = std::make_shared<std::string>();
    auto* removed = tokens->add_subcommand("remove", "end a token");
    removed->add_option("name", *name, "its name or id")->required();
    removed->callback([&context, name] { remove(context, *name); });
}

} // namespace cli
