// `slipway webhooks`: repositories of a forge whose pushes are built.
#include "api_client.h"
#include "context.h"
#include "terminal.h"

#include "base/error.h"
#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>

namespace cli {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr auto forges = {"github", "gitlab", "gitea", "generic"};
constexpr auto info_usage = "slipway webhooks info APP WEBHOOK";
constexpr auto remove_usage = "slipway webhooks remove APP WEBHOOK";
constexpr auto deliveries_usage = "slipway webhooks deliveries APP WEBHOOK";
constexpr auto replay_usage = "slipway webhooks replay APP WEBHOOK DELIVERY";

struct NewWebhook {
    std::string app, branch, clone_url, api_url, ci_name;
    std::map<std::string, std::string> repositories; // by forge
    bool token_stdin = false, deploy_key = false, pull_requests = false, forks = false,
         wait_for_ci = false, build_marked = false;
};

std::string path_of(const std::string& app, const std::string& webhook) {
    return api_path({"apps", app, "webhooks", webhook});
}

Value render(const NewWebhook& wanted) {
    Value webhook;
    for (const auto& [forge, repository] : wanted.repositories) {
        if (repository.empty()) continue;
        if (webhook.contains("kind"))
            throw Error(ErrorKind::invalid_input, "a webhook is of one forge",
                        "Add another one for the other.");
        webhook["kind"] = forge;
        webhook["repository"] = repository;
    }
    if (!webhook.contains("kind"))
        throw Error(ErrorKind::invalid_input, "whose pushes? No repository is named",
                    "--github, --gitlab, --gitea (Forgejo, too) or --generic OWNER/REPOSITORY");
    if (wanted.forks && !wanted.pull_requests)
        throw Error(ErrorKind::invalid_input, "--forks is about pull requests",
                    "Together with --pull-requests.");
    if (!wanted.branch.empty()) webhook["branch"] = wanted.branch;
    if (!wanted.clone_url.empty()) webhook["clone_url"] = wanted.clone_url;
    if (!wanted.api_url.empty()) webhook["api_url"] = wanted.api_url;
    Value options{{"pull_requests", wanted.pull_requests},
                  {"forks", wanted.forks},
                  {"wait_for_ci", wanted.wait_for_ci},
                  {"skip_marks", !wanted.build_marked}};
    if (!wanted.ci_name.empty()) options["ci_name"] = wanted.ci_name;
    if (wanted.deploy_key) options["deploy_key"] = true;
    webhook["options"] = options;
    if (wanted.token_stdin) webhook["token"] = read_secret_line("token of the forge").reveal();
    return webhook;
}

void print_webhook(const Value& webhook) {
    std::vector<std::pair<std::string, std::string>> fields{
        {"Webhook", text_of(webhook, "id")},
        {"Forge", text_of(webhook, "kind")},
        {"Repository", text_of(webhook, "repository")},
        {"Branch", text_of(webhook, "branch")},
        {"Cloned from", text_of(webhook, "clone_url")},
        {"Told", text_of(webhook, "api_url")},
        {"URL", text_of(webhook, "url")},
        {"Secret", text_of(webhook, "secret")},
        {"Deploy key", text_of(webhook, "ssh_public_key")}};
    for (const auto& key : webhook.value("host_keys", Value::array()))
        if (key.is_string())
            fields.emplace_back("Host key", base::printable(key.get<std::string>()));
    for (auto& field : std::vector<std::pair<std::string, std::string>>{
             {"Last commit", text_of(webhook, "head")},
             {"Checked", time_of(webhook, "checked_at")},
             {"Problem", text_of(webhook, "problem")}})
        fields.push_back(std::move(field));
    print_fields(fields);
}

void add(const Context& context, const NewWebhook& wanted) {
    const Value request{{"webhook", render(wanted)}};
    const auto webhook =
        member(context.api().post(api_path({"apps", wanted.app, "webhooks"}), request), "webhook");
    if (context.json) return print_json(webhook);
    print_webhook(webhook);
    print_line("\nEnter the URL and the secret at the forge (content type application/json). "
               "The secret is shown once.");
    if (!text_of(webhook, "ssh_public_key").empty())
        print_line("Add the deploy key to the repository; reading is enough. Compare the host keys "
                   "with those that the host is known for: no other one will be believed.");
}

void list(const Context& context, const std::string& app) {
    const auto webhooks = context.api().list(api_path({"apps", app, "webhooks"}), "webhooks");
    if (context.json) return print_json({{"webhooks", webhooks}});
    std::vector<Row> rows;
    for (const auto& webhook : webhooks)
        rows.push_back({text_of(webhook, "id"), text_of(webhook, "kind"),
                        text_of(webhook, "repository"), text_of(webhook, "branch"),
                        time_of(webhook, "created_at")});
    print_table({"WEBHOOK", "FORGE", "REPOSITORY", "BRANCH", "CREATED"}, rows);
}

void info(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, info_usage, 1, 1);
    const auto webhook =
        member(context.api().get(path_of(taken.app, taken.words.front())), "webhook");
    context.json ? print_json(webhook) : print_webhook(webhook);
}

void remove(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, remove_usage, 1, 1);
    context.api().remove(path_of(taken.app, taken.words.front()));
    context.json ? print_json({{"id", taken.words.front()}})
                 : print_line("Removed " + taken.words.front() +
                              "; the forge may still have it in its settings");
}

void deliveries(const Context& context, const AppWords& given, int limit) {
    const auto taken = take_app(given, deliveries_usage, 1, 1);
    const auto found = context.api().list(path_of(taken.app, taken.words.front()) + "/deliveries",
                                          "deliveries", {}, static_cast<std::size_t>(limit));
    if (context.json) return print_json({{"deliveries", found}});
    std::vector<Row> rows;
    for (const auto& delivery : found)
        rows.push_back({text_of(delivery, "id"), text_of(delivery, "event"),
                        text_of(delivery, "state"), text_of(delivery, "commit").substr(0, 12),
                        text_of(delivery, "build"), time_of(delivery, "received_at"),
                        text_of(delivery, "reason")});
    print_table({"DELIVERY", "EVENT", "STATE", "COMMIT", "BUILD", "RECEIVED", "REASON"}, rows);
}

void replay(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, replay_usage, 2, 2);
    const auto &webhook = taken.words[0], &delivery = taken.words[1];
    const auto answer = context.api().post(
        api_path({"apps", taken.app, "webhooks", webhook, "deliveries", delivery, "replay"}),
        Value::object());
    if (context.json) return print_json(answer);
    print_line("Delivery " + delivery + " is looked at again: slipway webhooks deliveries " +
               taken.app + " " + webhook);
}

void add_new(CLI::App& webhooks, Context& context) {
    const auto wanted = std::make_shared<NewWebhook>();
    auto* added = webhooks.add_subcommand("add", "build what is pushed to a repository");
    add_app_option(*added, std::shared_ptr<std::string>(wanted, &wanted->app));
    for (const char* forge : forges)
        added->add_option(std::string("--") + forge, wanted->repositories[forge],
                          "OWNER/REPOSITORY");
    added->add_option("--branch", wanted->branch, "whose pushes are built (main)");
    added->add_option("--clone-url", wanted->clone_url,
                      "fetched from here alone (default: the forge's own)");
    added->add_option("--api-url", wanted->api_url, "where statuses go (default: the forge's)");
    added->add_flag("--token-stdin", wanted->token_stdin,
                    "read the forge's token from standard input");
    added->add_flag("--deploy-key", wanted->deploy_key,
                    "make an SSH key to fetch a private repository with");
    added->add_flag("--pull-requests", wanted->pull_requests, "build pull requests too");
    added->add_flag("--forks", wanted->forks, "even those of strangers: their code runs here");
    added->add_flag("--wait-for-ci", wanted->wait_for_ci, "once the forge's CI has passed");
    added->add_option("--ci-name", wanted->ci_name, "the workflow or check that counts");
    added->add_flag("--build-skipped", wanted->build_marked,
                    "build commits marked [skip ci] as well");
    added->callback([&context, wanted] { add(context, *wanted); });
}

} // namespace

void add_webhooks(CLI::App& root, Context& context) {
    auto* webhooks =
        root.add_subcommand("webhooks", "repositories elsewhere whose pushes are built");
    webhooks->require_subcommand(1);
    add_new(*webhooks, context);
    const auto app = std::make_shared<std::string>();
    const auto limit = std::make_shared<int>(20);
    auto* listed = webhooks->add_subcommand("list", "an app's webhooks");
    add_app_option(*listed, app);
    listed->callback([&context, app] { list(context, *app); });
    auto* shown = webhooks->add_subcommand("info", "one webhook");
    const auto of_info = add_app_words(*shown, info_usage);
    shown->callback([=, &context] { info(context, *of_info); });
    auto* removed = webhooks->add_subcommand("remove", "listen no more");
    const auto of_remove = add_app_words(*removed, remove_usage);
    removed->callback([=, &context] { remove(context, *of_remove); });
    auto* came = webhooks->add_subcommand("deliveries", "what came, and what became of it");
    const auto of_deliveries = add_app_words(*came, deliveries_usage);
    came->add_option("--limit", *limit, "at most so many (20)")->check(CLI::Range(1, 1000));
    came->callback([=, &context] { deliveries(context, *of_deliveries, *limit); });
    auto* replayed = webhooks->add_subcommand("replay", "look at a delivery again");
    const auto of_replay = add_app_words(*replayed, replay_usage);
    replayed->callback([=, &context] { replay(context, *of_replay); });
}

} // namespace cli
