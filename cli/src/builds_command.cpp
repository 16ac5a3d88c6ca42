#include "api_client.h"
#include "context.h"
#include "detection.h"
#include "follow.h"

#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace cli {
namespace {

using base::json::Value;

std::string phases_of(const Value& build) {
    std::string text;
    for (const char* phase : {"fetch", "detect", "restore", "build", "export", "publish"})
        if (const auto time = base::json::find_integer(build.at("phases"), phase))
            text +=
                std::string(text.empty() ? "" : ", ") + phase + " " + base::human_duration(*time);
    return text;
}

std::string size_of(const Value& build) {
    const auto size = base::json::find_integer(build, "size").value_or(0);
    return size > 0 ? base::human_bytes(static_cast<std::uint64_t>(size)) : "";
}

void list(const Context& context, const std::string& app, const std::string& state, int limit) {
    Query query;
    if (!state.empty()) query.emplace_back("state", state);
    const auto builds =
        context.api().list(app.empty() ? api_path({"builds"}) : api_path({"apps", app, "builds"}),
                           "builds", query, static_cast<std::size_t>(limit));
    if (context.json) return print_json({{"builds", builds}});
    std::vector<Row> rows;
    for (const auto& build : builds)
        rows.push_back({text_of(build, "id"), text_of(build, "app"), text_of(build, "state"),
                        text_of(build, "commit").substr(0, 12), duration_of(build),
                        time_of(build, "created_at")});
    print_table({"BUILD", "APP", "STATE", "COMMIT", "TIME", "CREATED"}, rows);
}

// "2 builds ahead, about 40 s"
std::string queue_of(const Value& build) {
    const auto queue = build.find("queue");
    if (queue == build.end() || !queue->is_object()) return {};
    const auto ahead = base::json::find_integer(*queue, "ahead").value_or(0);
    const auto estimate = base::json::find_integer(*queue, "estimate_seconds");
    return std::to_string(ahead) + (ahead == 1 ? " build ahead" : " builds ahead") +
           (estimate ? ", about " + base::human_duration(*estimate * 1000) : "");
}

void info(const Context& context, const std::string& id) {
    const auto build = member(context.api().get(api_path({"builds", id})), "build");
    if (context.json) return print_json(build);
    print_fields({{"Build", text_of(build, "id")},
                  {"App", text_of(build, "app")},
                  {"State", text_of(build, "state")},
                  {"Waits for", queue_of(build)},
                  {"Came by", text_of(build, "door")},
                  {"Commit", text_of(build, "commit")},
                  {"Ref", text_of(build, "ref")},
                  {"Pushed by", text_of(build, "pushed_by")},
                  {"Created", time_of(build, "created_at")},
                  {"Took", duration_of(build)},
                  {"Phases", phases_of(build)},
                  {"Image", text_of(build, "reference")},
                  {"Digest", text_of(build, "digest")},
                  {"Size", size_of(build)},
                  {"Made by", text_of(build, "same_as")},
                  {"Reason", text_of(build, "reason")},
                  {"Hint", text_of(build, "hint")},
                  {"Sent again", time_of(build, "tries_again_at")}});
}

// With --follow the program ends as the build did.
void log(Context& context, const std::string& id, std::uint64_t offset, bool follow) {
    if (follow) return watch_build(context, id, offset, LastLine::none);
    read_log(context.api(), id, offset, log_printer(context));
}

void cancel(const Context& context, const std::string& id) {
    const auto answer = context.api().post(api_path({"builds", id, "cancel"}), Value::object());
    context.json ? print_json(member(answer, "build"))
                 : print_line("Build " + id + " is being cancelled");
}

void retry(Context& context, const std::string& id, bool detach) {
    const auto& api = context.api();
    const auto before = member(api.get(api_path({"builds", id})), "build");
    const auto again = api.post(api_path({"apps", text_of(before, "app"), "builds"}),
                                {{"build", {{"rebuild", id}}}});
    end_or_watch(context, member(again, "build"), detach ? Watch::no : Watch::yes);
}

Value records(const Context& context, const std::string& id, const char* record) {
    return member(context.api().get(api_path({"builds", id, "records", record})), "records");
}

void detection(const Context& context, const std::string& id) {
    const auto found = records(context, id, "detection");
    if (found.empty())
        throw base::Error(base::ErrorKind::not_found, "build " + id + " did not come to detection",
                          "slipway builds info " + id + " says how it ended.");
    context.json ? print_json(found.back()) : print_detection(found.back());
}

void report(const Context& context, const std::string& id) {
    const auto found = records(context, id, "report");
    if (context.json) return print_json({{"build", id}, {"records", found}});
    for (const auto& record : found) print_line(record.dump(2));
}

void clear_cache(const Context& context, const std::string& app) {
    context.api().remove(api_path({"apps", app, "caches", "deployment"}));
    if (context.json) return print_json({{"app", app}});
    print_line("The next build of " + app + " starts without a cache");
}

void add_records(CLI::App& builds, Context& context) {
    const auto id = std::make_shared<std::string>(), app = std::make_shared<std::string>();
    auto* detected = builds.add_subcommand("detection", "which buildpacks were asked, and why");
    detected->add_option("build", *id, "its id")->required();
    detected->callback([&context, id] { detection(context, *id); });
    auto* reported =
        builds.add_subcommand("report", "what classic buildpacks report of themselves");
    reported->add_option("build", *id, "its id")->required();
    reported->callback([&context, id] { report(context, *id); });
    auto* cache = builds.add_subcommand("cache", "what builds keep for the next one");
    cache->require_subcommand(1);
    auto* cleared = cache->add_subcommand("clear", "start the next build without it");
    add_app_option(*cleared, app);
    cleared->callback([&context, app] { clear_cache(context, *app); });
}

void add_watching(CLI::App& builds, Context& context) {
    const auto id = std::make_shared<std::string>();
    const auto offset = std::make_shared<std::uint64_t>(0);
    const auto follow = std::make_shared<bool>(false), detach = std::make_shared<bool>(false);
    auto* logged = builds.add_subcommand("log", "the log of a build");
    logged->add_option("build", *id, "its id")->required();
    logged->add_flag("--follow,-f", *follow, "go on until the build has ended");
    logged->add_option("--offset", *offset, "from this byte on");
    logged->callback([=, &context] { log(context, *id, *offset, *follow); });
    auto* followed = builds.add_subcommand(
        "follow", "the log until the build has ended, then its digest; ends as the build did");
    followed->add_option("build", *id, "its id")->required();
    followed->add_option("--offset", *offset, "from this byte on");
    followed->callback([=, &context] { watch_build(context, *id, *offset, LastLine::digest); });
    auto* retried = builds.add_subcommand("retry", "build the same source again");
    retried->add_option("build", *id, "its id")->required();
    retried->add_flag("--detach,-d", *detach, "print the new build's id and leave");
    retried->callback([=, &context] { retry(context, *id, *detach); });
    auto* cancelled = builds.add_subcommand("cancel", "stop a build");
    cancelled->add_option("build", *id, "its id")->required();
    cancelled->callback([&context, id] { cancel(context, *id); });
}

} // namespace

void add_builds(CLI::App& root, Context& context) {
    auto* builds = root.add_subcommand("builds", "builds, now and before");
    builds->require_subcommand(1);
    const auto id = std::make_shared<std::string>(), app = std::make_shared<std::string>(),
               state = std::make_shared<std::string>();
    const auto limit = std::make_shared<int>(20);
    auto* listed = builds->add_subcommand("list", "the newest builds");
    listed->add_option("-a,--app", *app, "of this app alone");
    listed->add_option("--state", *state, "in this state alone: queued, running, published, ...");
    listed->add_option("--limit", *limit, "at most so many (20)")->check(CLI::Range(1, 1000));
    listed->callback([=, &context] { list(context, *app, *state, *limit); });
    auto* shown = builds->add_subcommand("info", "one build");
    shown->add_option("build", *id, "its id")->required();
    shown->callback([&context, id] { info(context, *id); });
    add_watching(*builds, context);
    add_records(*builds, context);
}

} // namespace cli
