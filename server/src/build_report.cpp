#include "build_report.h"

#include "base/json.h"
#include "base/text.h"
#include "receiver/webhook.h"

#include <nlohmann/json.hpp>

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

} // namespace

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
