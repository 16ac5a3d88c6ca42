#include "deployment_shape.h"

#include "answers.h"

#include <nlohmann/json.hpp>

namespace server::api {

using apps::BuildState;
using base::json::Value;

std::string_view deployment_status(BuildState state) noexcept {
    switch (state) {
    case BuildState::received:
    case BuildState::queued:
        return "queued";
    case BuildState::running:
        return "building";
    case BuildState::exporting:
        return "pushing";
    case BuildState::published:
        return "success";
    case BuildState::refused:
        return "build-error";
    case BuildState::cancelled:
    case BuildState::superseded:
    case BuildState::detected: // nothing failed, and nothing was deployed
        return "aborted";
    case BuildState::broken:
    case BuildState::lost:
        break;
    }
    return "crashed-error";
}

Value shape_deployment(const Site& site, const apps::Build& build) {
    const bool over = build.finished != 0;
    const auto who = build.pushed_by.empty() ? std::string("unknown") : build.pushed_by;
    return {
        {"id", build.id},
        {"app_id", build.app},
        {"created_at", time_or_null(build.created)},
        {"finished_at", time_or_null(build.finished)},
        {"status", deployment_status(build.state)},
        {"git_ref", build.commit},
        {"previous_git_ref", text_or_null(build.previous)},
        {"type", build.source_kind == "git" || build.source_kind == "commit" ? "git" : "archive"},
        {"duration", over && build.started != 0 ? (build.finished - build.started) / 1000 : 0},
        {"image_size", build.size},
        {"stack_base_image", nullptr},
        {"image", text_or_null(build.reference)},
        {"digest", text_or_null(build.digest)},
        {"registry", site.registry.shown_host()},
        {"postdeploy_hook", nullptr},
        // Clients print the name without asking whether there is one.
        {"pusher", {{"id", who}, {"username", who}, {"email", who + "@localhost"}}},
        {"links",
         {{"output",
           site.http_url + "/v1/apps/" + build.app + "/deployments/" + build.id + "/output"}}}};
}

} // namespace server::api
