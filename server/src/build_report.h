// From a build's row to what others are told of it. Pure functions.
#pragma once

#include "apps/builds.h"
#include "apps/hooks.h"
#include "base/json.h"
#include "forges/report.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace server {

// The kinds of notices that this webhook's forge wants of a build: "status", "deployment" (GitHub
// alone, and of the app's own branches: GitHub ends the older deployments of an environment when a
// newer one succeeds).
std::vector<std::string> forge_notices(const apps::Hook& hook, const apps::Build& build);

forges::Report report_of(const apps::Build& build, const apps::Hook& hook,
                         const std::string& public_url);

// As a notice's payload; parse_report is the inverse.
std::string render_report(const forges::Report& report);
forges::Report parse_report(const std::string& payload);

struct NoticeTexts {
    std::string public_url; // of this server, for the links to logs
    // How a build looks to a subscriber: the API's own JSON.
    std::function<base::json::Value(const apps::Build&)> render_build;
};

// All that is to be said of the state that this build has now (apps::WriteNotices). Does not throw:
// a build never fails for its notices.
std::vector<apps::Notice> notices_of(const NoticeTexts& texts, const apps::Build& build,
                                     const std::optional<apps::Hook>& hook,
                                     const std::vector<apps::Subscription>& subscriptions) noexcept;

// The deployment that one of the notices about a build made; empty: none.
void note_deployment(apps::Notice& notice, const std::string& deployment);
std::string find_deployment(const std::vector<apps::Notice>& notices);

} // namespace server
