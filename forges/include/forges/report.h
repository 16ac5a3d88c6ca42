// A build's progress as the forge of its commit shows it: commit statuses and GitHub deployments.
// Sources: docs.github.com/rest (commits/statuses, deployments), docs.gitlab.com/api/commits,
// Gitea's API (POST /repos/{owner}/{repo}/statuses/{sha}). Values only; any thread.
#pragma once

#include "forges/verdict.h"

#include "base/secret.h"
#include "http/client.h"

#include <string>

namespace forges {

struct Forge {
    std::string kind;       // "github", "gitlab", "gitea"
    std::string api_url;    // "https://api.github.com", without a slash at its end
    std::string repository; // "owner/repo"; GitLab: with its groups
    base::Secret token;
};

enum class Progress { queued, running, success, failure, error };
std::string_view to_string(Progress progress) noexcept;
Progress parse_progress(std::string_view name); // throws Error{invalid_input}

struct Report {
    std::string build; // id
    std::string app;
    std::string commit;
    std::string ref; // "refs/heads/main"
    Progress progress = Progress::queued;
    std::string sentence; // cut to the 140 bytes that forges take
    std::string log_url;
    std::string digest;      // of a success
    std::string environment; // of a deployment
};

// Where the forge keeps its API; origin: "https://github.com", "https://git.example.com:8443".
std::string usual_api_url(std::string_view kind, std::string_view origin);

http::Request render_status(const Forge& forge, const Report& report);

// GitHub: a deployment is made once for a build, then told its states.
http::Request render_deployment(const Forge& forge, const Report& report);
// The id in the answer to it; throws Error{invalid_input} for an answer without one.
std::string parse_deployment(std::string_view body);
http::Request render_deployment_status(const Forge& forge, const Report& report,
                                       const std::string& deployment);

} // namespace forges
