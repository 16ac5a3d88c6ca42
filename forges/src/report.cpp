#include "forges/report.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <array>

namespace forges {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_sentence = 140;
constexpr std::array progress_names{"queued", "running", "success", "failure", "error"};

// Whole UTF-8 characters alone: forges refuse half ones.
std::string cut(std::string text) {
    if (text.size() <= longest_sentence) return text;
    auto end = longest_sentence - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "...";
}

std::string context_of(const Report& report) {
    return "slipway/" + report.app;
}

// The words of each forge for one progress, in the order of the enumeration.
using Words = std::array<const char*, 5>;
constexpr Words github_status{"pending", "pending", "success", "failure", "error"};
constexpr Words github_deployment{"queued", "in_progress", "success", "failure", "error"};
constexpr Words gitlab_status{"pending", "running", "success", "failed", "failed"};

const char* word(const Words& words, Progress progress) {
    return words[static_cast<std::size_t>(progress)];
}

// "owner/repo" as path segments: each one encoded by itself, none that would lead elsewhere.
std::string path_of(const std::string& repository) {
    std::string path;
    for (std::size_t begin = 0; begin <= repository.size();) {
        const auto slash = std::min(repository.find('/', begin), repository.size());
        const auto part = repository.substr(begin, slash - begin);
        if (part.empty() || part == "." || part == "..")
            throw Error(ErrorKind::invalid_input,
                        base::quoted(repository) + " is no name of a repository");
        path += '/' + http::percent_encode(part);
        begin = slash + 1;
    }
    return path;
}

http::Request post(const Forge& forge, const std::string& path, const Value& body) {
    http::Request request;
    request.method = "POST";
    request.url = forge.api_url + path;
    request.headers = {"Content-Type: application/json", "Accept: application/json"};
    if (forge.kind == "github")
        request.headers = {"Content-Type: application/json", "Accept: application/vnd.github+json",
                           "X-GitHub-Api-Version: 2022-11-28"};
    if (forge.kind == "gitlab")
        request.headers.push_back("PRIVATE-TOKEN: " + forge.token.reveal());
    else if (forge.kind == "gitea")
        request.headers.push_back("Authorization: token " + forge.token.reveal());
    else
        request.headers.push_back("Authorization: Bearer " + forge.token.reveal());
    request.body = base::json::render(body);
    request.longest_body = 1u << 20;
    return request;
}

std::string branch_of(const std::string& ref) {
    constexpr std::string_view heads = "refs/heads/";
    return ref.starts_with(heads) ? ref.substr(heads.size()) : ref;
}

http::Request gitlab_request(const Forge& forge, const Report& report) {
    return post(
        forge, "/projects/" + http::percent_encode(forge.repository) + "/statuses/" + report.commit,
        {{"state", word(gitlab_status, report.progress)},
         {"name", context_of(report)},
         {"ref", branch_of(report.ref)},
         {"target_url", report.log_url},
         {"description", cut(report.sentence)}});
}

} // namespace

std::string_view to_string(Progress progress) noexcept {
    return progress_names[static_cast<std::size_t>(progress)];
}

Progress parse_progress(std::string_view name) {
    for (std::size_t i = 0; i < progress_names.size(); ++i)
        if (progress_names[i] == name) return static_cast<Progress>(i);
    throw Error(ErrorKind::invalid_input, "there is no progress \"" + std::string(name) + "\"");
}

std::string usual_api_url(std::string_view kind, std::string_view origin) {
    if (kind == "github" && origin == "https://github.com") return "https://api.github.com";
    return std::string(origin) + (kind == "github"   ? "/api/v3"
                                  : kind == "gitlab" ? "/api/v4"
                                                     : "/api/v1");
}

http::Request render_status(const Forge& forge, const Report& report) {
    if (forge.kind == "gitlab") return gitlab_request(forge, report);
    return post(forge, "/repos" + path_of(forge.repository) + "/statuses/" + report.commit,
                {{"state", word(github_status, report.progress)},
                 {"context", context_of(report)},
                 {"target_url", report.log_url},
                 {"description", cut(report.sentence)}});
}

http::Request render_deployment(const Forge& forge, const Report& report) {
    // No contexts: whether a commit may be deployed was decided before it was built, and GitHub
    // would otherwise wait for our own status.
    return post(forge, "/repos" + path_of(forge.repository) + "/deployments",
                {{"ref", report.commit},
                 {"task", "deploy"},
                 {"auto_merge", false},
                 {"required_contexts", Value::array()},
                 {"environment", report.environment},
                 {"description", cut(report.sentence)},
                 {"payload", {{"app", report.app}, {"build", report.build}}}});
}

std::string parse_deployment(std::string_view body) {
    const auto answer = base::json::parse(body, "the answer to a new deployment");
    return std::to_string(base::json::get_integer(answer, "id"));
}

http::Request render_deployment_status(const Forge& forge, const Report& report,
                                       const std::string& deployment) {
    const auto sentence =
        report.digest.empty() ? report.sentence : report.sentence + " " + report.digest;
    return post(forge,
                "/repos" + path_of(forge.repository) + "/deployments/" + deployment + "/statuses",
                {{"state", word(github_deployment, report.progress)},
                 {"log_url", report.log_url},
                 {"environment", report.environment},
                 {"description", cut(sentence)},
                 {"auto_inactive", true}});
}

} // namespace forges
