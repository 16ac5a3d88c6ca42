#include "cli/exit_code.h"
#include "context.h"
#include "detection.h"

#include "base/text.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
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

void list(const Context& context, const std::string& app, int limit) {
    Value request{{"verb", "builds.list"}, {"limit", limit}};
    if (!app.empty()) request["app"] = app;
    const auto answer = context.call(request);
    if (context.json) return print_json(answer);
    std::vector<Row> rows;
    for (const auto& build : answer.at("builds"))
        rows.push_back({text_of(build, "build"), text_of(build, "app"), text_of(build, "state"),
                        text_of(build, "commit").substr(0, 12), duration_of(build),
                        time_of(build, "created")});
    print_table({"BUILD", "APP", "STATE", "COMMIT", "TIME", "CREATED"}, rows);
}

void info(const Context& context, const std::string& id) {
    const auto build = context.call({{"verb", "builds.info"}, {"build", id}});
    if (context.json) return print_json(build);
    print_fields({{"Build", text_of(build, "build")},
                  {"App", text_of(build, "app")},
                  {"State", text_of(build, "state")},
                  {"Commit", text_of(build, "commit")},
                  {"Ref", text_of(build, "ref")},
                  {"Pushed by", text_of(build, "pushed_by")},
                  {"Created", time_of(build, "created")},
                  {"Took", duration_of(build)},
                  {"Phases", phases_of(build)},
                  {"Image", text_of(build, "reference")},
                  {"Digest", text_of(build, "digest")},
                  {"Size", size_of(build)},
                  {"Reason", text_of(build, "reason")},
                  {"Hint", text_of(build, "hint")}});
}

// With --follow the program ends as the build did.
void log(Context& context, const std::string& id, std::int64_t offset, bool follow) {
    const Value request{
        {"verb", "builds.log"}, {"build", id}, {"offset", offset}, {"follow", follow}};
    const auto build = context.call(request, [&](const Value& event) {
        if (context.json) return print_line(base::json::render(event));
        const auto text = base::json::get_string(event, "text");
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    });
    if (follow) context.exit_code = exit_code_of_state(text_of(build, "state"));
}

void cancel(const Context& context, const std::string& id) {
    const auto answer = context.call({{"verb", "builds.cancel"}, {"build", id}});
    context.json ? print_json(answer) : print_line("Build " + id + " is being cancelled");
}

void detection(const Context& context, const std::string& id) {
    const auto answer =
        context.call({{"verb", "builds.records"}, {"build", id}, {"record", "detection"}});
    const auto& records = answer.at("records");
    if (records.empty())
        throw base::Error(base::ErrorKind::not_found, "build " + id + " did not come to detection",
                          "slipway builds info " + id + " says how it ended.");
    context.json ? print_json(records.back()) : print_detection(records.back());
}

void report(const Context& context, const std::string& id) {
    const auto answer =
        context.call({{"verb", "builds.records"}, {"build", id}, {"record", "report"}});
    if (context.json) return print_json(answer);
    for (const auto& record : answer.at("records")) print_line(record.dump(2));
}

void clear_cache(const Context& context, const std::string& app) {
    const auto answer = context.call({{"verb", "builds.clear_cache"}, {"app", app}});
    if (context.json) return print_json(answer);
    print_line(base::json::find_bool(answer, "cleared", false)
                   ? "The next build of " + app + " starts without a cache"
                   : app + " has no cache");
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
    cleared->add_option("app", *app, "its name")->required();
    cleared->callback([&context, app] { clear_cache(context, *app); });
}

} // namespace

void add_builds(CLI::App& root, Context& context) {
    auto* builds = root.add_subcommand("builds", "builds, now and before");
    builds->require_subcommand(1);
    const auto id = std::make_shared<std::string>(), app = std::make_shared<std::string>();
    const auto limit = std::make_shared<int>(20);
    const auto offset = std::make_shared<std::int64_t>(0);
    const auto follow = std::make_shared<bool>(false);
    auto* listed = builds->add_subcommand("list", "the newest builds");
    listed->add_option("--app", *app, "of this app alone");
    listed->add_option("--limit", *limit, "at most so many (20)")->check(CLI::Range(1, 1000));
    listed->callback([&context, app, limit] { list(context, *app, *limit); });
    auto* shown = builds->add_subcommand("info", "one build");
    shown->add_option("build", *id, "its id")->required();
    shown->callback([&context, id] { info(context, *id); });
    auto* logged = builds->add_subcommand("log", "the log of a build");
    logged->add_option("build", *id, "its id")->required();
    logged->add_flag("--follow,-f", *follow, "go on until the build has ended");
    logged->add_option("--offset", *offset, "from this byte on")->check(CLI::NonNegativeNumber);
    logged->callback([=, &context] { log(context, *id, *offset, *follow); });
    auto* cancelled = builds->add_subcommand("cancel", "stop a build");
    cancelled->add_option("build", *id, "its id")->required();
    cancelled->callback([&context, id] { cancel(context, *id); });
    add_records(*builds, context);
}

} // namespace cli
