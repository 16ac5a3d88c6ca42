#include "build_report.h"

#include "api/answers.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "receiver/webhook.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace server {
namespace {

using apps::BuildState;
using base::json::find_string;
using base::json::get_string;
using base::json::Value;
using forges::Progress;

Progress progress_of(const apps::Build& build) {
    switch (build.state) {
    case BuildState::received:
    case BuildState::queued:
        return Progress::queued;
    case BuildState::running:
    case BuildState::exporting:
        return Progress::running;
    case BuildState::published:
        return Progress::success;
    case BuildState::refused:
        return Progress::failure;
    default:
        return Progress::error;
    }
}

std::string sentence_of(const apps::Build& build) {
    switch (build.state) {
    case BuildState::received:
    case BuildState::queued:
        return "Waiting for its turn";
    case BuildState::running:
    case BuildState::exporting:
        return "Building";
    case BuildState::published:
        return "Published in " + base::human_duration(build.finished - build.started);
    case BuildState::refused:
        return "The build failed: " + build.reason;
    case BuildState::broken:
        return "Slipway could not build it: " + build.reason;
    default:
        return "Build " + std::string(apps::to_string(build.state)) + ": " + build.reason;
    }
}

Value options_of(const apps::Hook& hook) {
    return hook.options.empty() ? Value::object()
                                : base::json::parse(hook.options, "a webhook's options");
}

apps::Notice notice_about(const apps::Build& build, std::string kind, const std::string& target,
                          std::string payload) {
    apps::Notice notice;
    notice.kind = std::move(kind);
    notice.app = build.app;
    notice.target = target;
    notice.subject = build.id;
    notice.payload = std::move(payload);
    notice.state = "open";
    notice.created = notice.due = apps::now_milliseconds();
    return notice;
}

void add_for_forge(std::vector<apps::Notice>& notices, const NoticeTexts& texts,
                   const apps::Build& build, const apps::Hook& hook) {
    if (hook.api_url.empty() || hook.sealed_token.empty()) return;
    const auto report = report_of(build, hook, texts.public_url);
    for (auto& kind : forge_notices(hook, build))
        notices.push_back(notice_about(build, std::move(kind), hook.id, render_report(report)));
}

void add_for_subscribers(std::vector<apps::Notice>& notices, const NoticeTexts& texts,
                         const apps::Build& build,
                         const std::vector<apps::Subscription>& subscriptions) {
    const auto type = "build." + std::string(apps::to_string(build.state));
    for (const auto& subscription : subscriptions) {
        const auto& wanted = subscription.events;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), type) == wanted.end())
            continue;
        notices.push_back(notice_about(
            build, "event", subscription.id,
            base::json::render({{"type", type},
                                {"timestamp", api::time_or_null(apps::now_milliseconds())},
                                {"data", {{"build", texts.render_build(build)}}}})));
    }
}

} // namespace

std::vector<apps::Notice>
notices_of(const NoticeTexts& texts, const apps::Build& build,
           const std::optional<apps::Hook>& hook,
           const std::vector<apps::Subscription>& subscriptions) noexcept {
    std::vector<apps::Notice> notices;
    try {
        if (hook) add_for_forge(notices, texts, build, *hook);
        add_for_subscribers(notices, texts, build, subscriptions);
    } catch (const std::exception& error) {
        base::log::warning("a notice about a build could not be written",
                           {{"build", build.id}, {"reason", error.what()}});
    }
    return notices;
}

std::vector<std::string> forge_notices(const apps::Hook& hook, const apps::Build& build) {
    if (hook.kind == "generic") return {};
    const auto options = options_of(hook);
    std::vector<std::string> kinds;
    if (base::json::find_bool(options, "statuses", true)) kinds.emplace_back("status");
    if (hook.kind == "github" && !receiver::proposal_of(build.ref) &&
        base::json::find_bool(options, "deployments", true))
        kinds.emplace_back("deployment");
    return kinds;
}

forges::Report report_of(const apps::Build& build, const apps::Hook& hook,
                         const std::string& public_url) {
    return {.build = build.id,
            .app = build.app,
            .commit = build.commit,
            .ref = build.ref,
            .progress = progress_of(build),
            .sentence = base::printable(sentence_of(build)),
            .log_url = public_url + "/v1/builds/" + build.id + "/log",
            .digest = build.digest,
            .environment = find_string(options_of(hook), "environment").value_or(build.app)};
}

std::string render_report(const forges::Report& report) {
    return base::json::render({{"build", report.build},
                               {"app", report.app},
                               {"commit", report.commit},
                               {"ref", report.ref},
                               {"progress", std::string(forges::to_string(report.progress))},
                               {"sentence", report.sentence},
                               {"log_url", report.log_url},
                               {"digest", report.digest},
                               {"environment", report.environment}});
}

forges::Report parse_report(const std::string& payload) {
    const auto value = base::json::parse(payload, "a notice");
    return {.build = get_string(value, "build"),
            .app = get_string(value, "app"),
            .commit = get_string(value, "commit"),
            .ref = get_string(value, "ref"),
            .progress = forges::parse_progress(get_string(value, "progress")),
            .sentence = get_string(value, "sentence"),
            .log_url = get_string(value, "log_url"),
            .digest = get_string(value, "digest"),
            .environment = get_string(value, "environment")};
}

void note_deployment(apps::Notice& notice, const std::string& deployment) {
    auto value = base::json::parse(notice.payload, "a notice");
    value["deployment"] = deployment;
    notice.payload = base::json::render(value);
}

std::string find_deployment(const std::vector<apps::Notice>& notices) {
    for (const auto& notice : notices) {
        if (notice.kind != "deployment") continue;
        const auto value = base::json::parse(notice.payload, "a notice");
        if (const auto deployment = find_string(value, "deployment")) return *deployment;
    }
    return {};
}

} // namespace server
