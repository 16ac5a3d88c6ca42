// `slipway notifications`: who else is told of an app's builds.
#include "api_client.h"
#include "context.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

constexpr auto add_usage = "slipway notifications add APP URL";
constexpr auto remove_usage = "slipway notifications remove APP NOTIFICATION";
constexpr auto deliveries_usage = "slipway notifications deliveries APP NOTIFICATION";

std::string events_of(const Value& notification) {
    const auto events = base::json::get_strings(notification, "events");
    return events.empty() ? "all" : join(events, ",");
}

void add(const Context& context, const AppWords& given, const std::vector<std::string>& events) {
    const auto taken = take_app(given, add_usage, 1, 1);
    Value wanted{{"url", taken.words.front()}};
    if (!events.empty()) wanted["events"] = events;
    const auto notification =
        member(context.api().post(api_path({"apps", taken.app, "notifications"}),
                                  {{"notification", wanted}}),
               "notification");
    if (context.json) return print_json(notification);
    print_fields({{"Notification", text_of(notification, "id")},
                  {"URL", text_of(notification, "url")},
                  {"Events", events_of(notification)},
                  {"Secret", text_of(notification, "secret")}});
    print_line("\nEach call is signed with the secret, which is shown once.");
}

void list(const Context& context, const std::string& app) {
    const auto found =
        context.api().list(api_path({"apps", app, "notifications"}), "notifications");
    if (context.json) return print_json({{"notifications", found}});
    std::vector<Row> rows;
    for (const auto& notification : found)
        rows.push_back({text_of(notification, "id"), text_of(notification, "url"),
                        events_of(notification), time_of(notification, "created_at")});
    print_table({"NOTIFICATION", "URL", "EVENTS", "CREATED"}, rows);
}

void remove(const Context& context, const AppWords& given) {
    const auto taken = take_app(given, remove_usage, 1, 1);
    context.api().remove(api_path({"apps", taken.app, "notifications", taken.words.front()}));
    context.json ? print_json({{"id", taken.words.front()}})
                 : print_line("Removed " + taken.words.front());
}

void deliveries(const Context& context, const AppWords& given, int limit) {
    const auto taken = take_app(given, deliveries_usage, 1, 1);
    const auto found = context.api().list(
        api_path({"apps", taken.app, "notifications", taken.words.front(), "deliveries"}),
        "deliveries", {}, static_cast<std::size_t>(limit));
    if (context.json) return print_json({{"deliveries", found}});
    std::vector<Row> rows;
    for (const auto& delivery : found)
        rows.push_back({text_of(delivery, "state"), text_of(delivery, "build"),
                        std::to_string(base::json::find_integer(delivery, "attempts").value_or(0)),
                        time_of(delivery, "created_at"), text_of(delivery, "reason")});
    print_table({"STATE", "BUILD", "TRIES", "CREATED", "REASON"}, rows);
}

} // namespace

void add_notifications(CLI::App& root, Context& context) {
    auto* notifications =
        root.add_subcommand("notifications", "addresses that are told of an app's builds");
    notifications->require_subcommand(1);
    const auto events = std::make_shared<std::vector<std::string>>();
    auto* added = notifications->add_subcommand("add", "tell an address, signed");
    const auto of_add = add_app_words(*added, add_usage);
    added->add_option("--event", *events, "build.published, ... (repeatable; default: all)")
        ->allow_extra_args(false);
    added->callback([=, &context] { add(context, *of_add, *events); });
    const auto app = std::make_shared<std::string>();
    auto* listed = notifications->add_subcommand("list", "whom an app's builds are told to");
    add_app_option(*listed, app);
    listed->callback([=, &context] { list(context, *app); });
    auto* removed = notifications->add_subcommand("remove", "tell it no more");
    const auto of_remove = add_app_words(*removed, remove_usage);
    removed->callback([=, &context] { remove(context, *of_remove); });
    const auto limit = std::make_shared<int>(20);
    auto* told = notifications->add_subcommand("deliveries", "what was told, and how it went");
    const auto of_deliveries = add_app_words(*told, deliveries_usage);
    told->add_option("--limit", *limit, "at most so many (20)")->check(CLI::Range(1, 1000));
    told->callback([=, &context] { deliveries(context, *of_deliveries, *limit); });
}

} // namespace cli
