#include "receiver/webhook.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

namespace receiver {
namespace {

constexpr std::string_view heads = "refs/heads/";
constexpr std::string_view own_statuses = "slipway/"; // with an app's name: told to the forge by us

std::string lower(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return small;
}

bool is_commit(std::string_view id) {
    return id.size() == 40 && id.find_first_not_of("0123456789abcdef") == id.npos;
}

// Those of GitHub's and GitLab's own CI, and one for us alone.
std::optional<std::string_view> skip_mark_in(std::string_view message) {
    constexpr std::array<std::string_view, 9> marks{
        "[skip ci]",      "[ci skip]",      "[ci-skip]",      "[skip-ci]",     "[no ci]",
        "[skip actions]", "[actions skip]", "[skip slipway]", "[slipway skip]"};
    const auto text = lower(message);
    for (const auto mark : marks)
        if (text.find(mark) != text.npos) return mark;
    return std::nullopt;
}

IgnoreEvent ignore(std::string reason) {
    return {std::move(reason)};
}

WebhookDecision go_on(const WebhookEvent& event, const WebhookSettings& settings) {
    if (settings.skip_marks)
        if (const auto mark = skip_mark_in(event.message))
            return ignore("the message says " + std::string(*mark));
    if (!is_commit(event.after))
        return ignore(event.after.size() == 64
                          ? "the repository uses SHA-256 names, which are not read here yet"
                          : "the payload names no commit");
    if (settings.wait_for_ci) return WaitForCi{event.ref, event.after};
    return BuildCommit{event.ref, event.after};
}

WebhookDecision decide_push(const WebhookEvent& event, const WebhookSettings& settings) {
    const auto name = base::printable(event.ref.substr(0, 200));
    if (event.deleted) return ignore(name + " was deleted");
    if (event.ref.starts_with("refs/tags/")) return ignore("tags are not built: " + name);
    if (!event.ref.starts_with(heads)) return ignore(name + " is not a branch");
    if (event.ref != std::string(heads) + settings.branch)
        return ignore("the branch " + name.substr(heads.size()) + " is not built, " +
                      settings.branch + " is");
    return go_on(event, settings);
}

WebhookDecision decide_pull_request(const WebhookEvent& event, const WebhookSettings& settings) {
    if (!settings.pull_requests) return ignore("pull requests are not built for this app");
    if (!event.brings_commits) return ignore("nothing in the pull request is new");
    if (event.base_branch != settings.branch)
        return ignore("the pull request is not for the branch " + settings.branch);
    if (event.from_fork && !settings.forks)
        return ignore("the pull request comes from a fork, and those are not built");
    return go_on(event, settings);
}

WebhookDecision decide_ci(const WebhookEvent& event, const WebhookSettings& settings) {
    if (!settings.wait_for_ci) return ignore("builds do not wait for CI here");
    if (event.ci_name.starts_with(own_statuses)) return ignore("the status is Slipway's own");
    if (!settings.ci_name.empty() && event.ci_name != settings.ci_name)
        return ignore("builds wait for " + base::printable(settings.ci_name) + " alone");
    if (!is_commit(event.after)) return ignore("the payload names no commit");
    return CiResult{event.after, event.verdict, event.ci_name};
}

} // namespace

std::optional<std::string> proposal_of(std::string_view ref) {
    for (const std::string_view proposals : {"refs/pull/", "refs/merge-requests/"}) {
        if (!ref.starts_with(proposals)) continue;
        ref.remove_prefix(proposals.size());
        return std::string(ref.substr(0, ref.find('/')));
    }
    return std::nullopt;
}

bool concerns(const WebhookEvent& event, const WebhookSettings& settings) {
    if (!settings.repository_id.empty() && !event.repository_id.empty())
        return event.repository_id == settings.repository_id;
    return lower(event.repository) == lower(settings.repository);
}

CiVerdict combine(const std::vector<WebhookEvent>& results) {
    struct Last {
        std::uint64_t number;
        CiVerdict verdict;
    };
    std::map<std::string, Last> sources;
    for (const auto& result : results) {
        const Last found{result.ci_number, result.verdict};
        auto [it, fresh] = sources.try_emplace(
            result.ci_source.empty() ? result.name + " " + result.ci_name : result.ci_source,
            found);
        auto& last = it->second;
        // Deliveries may overtake each other: the end of a run is not undone by its beginning.
        const bool ended = last.verdict == CiVerdict::pending && found.verdict != last.verdict;
        if (!fresh && (found.number > last.number || (found.number == last.number && ended)))
            last = found;
    }
    const auto has = [&](CiVerdict verdict) {
        return std::any_of(sources.begin(), sources.end(),
                           [&](const auto& source) { return source.second.verdict == verdict; });
    };
    for (const auto verdict : {CiVerdict::failure, CiVerdict::pending, CiVerdict::success})
        if (has(verdict)) return verdict;
    return CiVerdict::none;
}

WebhookDecision decide(const WebhookEvent& event, const WebhookSettings& settings) {
    if (event.kind == EventKind::ping) return ignore("pong");
    if (event.kind == EventKind::other)
        return ignore("the event " + base::quoted(event.name) + " starts no build");
    if (!concerns(event, settings))
        return ignore("the payload is about another repository, " + base::quoted(event.repository));
    switch (event.kind) {
    case EventKind::push:
        return decide_push(event, settings);
    case EventKind::pull_request:
        return decide_pull_request(event, settings);
    default:
        return decide_ci(event, settings);
    }
}

} // namespace receiver
