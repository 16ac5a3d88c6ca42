// `slipway login`, `logout`, `whoami`.
#include "api_client.h"
#include "context.h"
#include "credentials.h"
#include "terminal.h"

#include "base/error.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>

namespace cli {
namespace {

using base::json::Value;

std::string scopes_of(const Value& user) {
    return join(base::json::get_strings(user, "scopes"), ", ");
}

struct LoginOptions {
    std::string url;
    bool token_stdin = false;
};

void login(const Context& context, const LoginOptions& options) {
    const auto url = normalize_server_url(options.url);
    const auto file = Credentials::usual_file();
    auto credentials = Credentials::read(file); // before the person types anything
    Endpoint endpoint{.url = url};
    if (!context.ca_file.empty())
        endpoint.ca_file = std::filesystem::absolute(context.ca_file).string();
    else if (const char* variable = std::getenv("SLIPWAY_CA_FILE"); variable && *variable)
        endpoint.ca_file = std::filesystem::absolute(variable).string();
    endpoint.token = options.token_stdin
                         ? read_secret_line("token")
                         : ask_secret("Token for " + url,
                                      "Give it on standard input: slipway login URL --token-stdin",
                                      context.interrupted);
    const ApiClient api(endpoint, context.version, context.interrupted);
    const auto user = member(api.get(api_path({"users", "self"})), "user");
    credentials.add(url, {endpoint.token, endpoint.ca_file});
    credentials.write(file);
    if (context.json)
        return print_json({{"server", url},
                           {"username", text_of(user, "username")},
                           {"scopes", user.value("scopes", Value::array())}});
    print_line("Logged in to " + url + " as " + text_of(user, "username") + " (" + scopes_of(user) +
               ")");
    print_line("The token is in " + file.string());
}

void logout(const Context& context, const std::string& named) {
    const auto file = Credentials::usual_file();
    auto credentials = Credentials::read(file);
    const auto url = named.empty() ? credentials.default_url() : normalize_server_url(named);
    if (url.empty() || !credentials.remove(url))
        throw base::Error(base::ErrorKind::not_found,
                          "you are not logged in" + (url.empty() ? "" : " to " + url),
                          named.empty() ? "To leave another one: slipway logout URL" : "");
    credentials.write(file);
    if (context.json) return print_json({{"server", url}});
    print_line("Logged out of " + url +
               "; its token is still good: slipway tokens remove, on the server, ends it");
}

void whoami(const Context& context) {
    auto user = member(context.api().get(api_path({"users", "self"})), "user");
    user.erase("token"); // Scalingo's clients look for the member; nobody needs its value here
    user["server"] = context.api().endpoint().name();
    if (context.json) return print_json(user);
    print_fields({{"Server", text_of(user, "server")},
                  {"User", text_of(user, "username")},
                  {"May", scopes_of(user)}});
}

} // namespace

void add_login(CLI::App& root, Context& context) {
    const auto options = std::make_shared<LoginOptions>();
    auto* entered = root.add_subcommand("login", "use a server elsewhere from now on");
    entered->add_option("url", options->url, "https://slipway.example.com")->required();
    entered->add_flag("--token-stdin", options->token_stdin, "read the token from standard input");
    entered->callback([&context, options] { login(context, *options); });
    const auto url = std::make_shared<std::string>();
    auto* left = root.add_subcommand("logout", "forget a server and its token");
    left->add_option("url", *url, "which one; default: the one in use");
    left->callback([&context, url] { logout(context, *url); });
    root.add_subcommand("whoami", "which server is asked, and as whom")->callback([&context] {
        whoami(context);
    });
}

} // namespace cli
