// What a forge says over a webhook: is it the forge (verify), what happened (parse_webhook), does
// it become a build (decide). Pure functions; any thread. They know no store, no network and no
// repository: a URL in a payload is never looked at.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace receiver {

enum class Forge { github, gitlab, gitea, generic }; // gitea: Forgejo, too
std::string_view to_string(Forge forge) noexcept;    // "github"
Forge parse_forge(std::string_view name);            // throws Error{invalid_input}

using WebhookHeaders = std::multimap<std::string, std::string>; // names in lower case

// Whether whoever knows the secret sent exactly these bytes. To be asked before anything reads
// them.
//   github   X-Hub-Signature-256: sha256=HEX (HMAC); the SHA-1 header is not looked at
//   gitea    X-Gitea-Signature or X-Forgejo-Signature: HEX (HMAC)
//   gitlab   X-Gitlab-Token: the secret itself
//   generic  X-Signature or X-Signature-256: sha256=HEX (HMAC)
// One answer for all that is wrong: a missing, repeated, malformed or false signature, an empty
// secret. The time depends on the lengths alone.
bool verify(Forge forge, const WebhookHeaders& headers, std::string_view body,
            std::string_view secret);

// Who seems to be calling, for an answer that helps. Gitea and Forgejo send GitHub's headers too,
// and are known by their own. Empty: nobody known.
std::optional<Forge> detect_forge(const WebhookHeaders& headers);

enum class EventKind { push, pull_request, ci_result, ping, other };
std::string_view to_string(EventKind kind) noexcept;

enum class CiVerdict { none, success, failure, pending }; // none: left out (skipped, neutral)

struct WebhookEvent {
    EventKind kind = EventKind::other;
    std::string name;          // the forge's own word: "push", "Push Hook"
    std::string delivery;      // the sender's id, at most 100 plain characters; made when none came
    std::string repository;    // "owner/repo" of the payload
    std::string repository_id; // the forge's number; empty: it has none
    std::string ref;           // push: "refs/heads/main"; pull request: "refs/pull/7/head"
    std::string before;        // commits as 40 hex digits
    std::string after;         // push: the new head; pull request: its head; CI: what was tested
    bool deleted = false;
    std::string message; // of the head commit, or the title of the pull request
    std::string sender;
    // Of a pull request.
    bool brings_commits = false; // opened, reopened, or pushed to
    bool from_fork = false;      // of another repository, or of one that is gone
    std::string base_branch;
    // Of a CI result.
    CiVerdict verdict = CiVerdict::none;
    std::string ci_name;         // of the workflow, the application or the context
    std::string ci_source;       // whose results follow each other: "workflow_run 42 push"
    std::uint64_t ci_number = 0; // of its run: grows with each
};

// The body is JSON, or a form whose field "payload" is (application/x-www-form-urlencoded; a
// generic one is JSON whatever its type says). Throws Error{invalid_input} for what this forge does
// not send.
WebhookEvent parse_webhook(Forge forge, const WebhookHeaders& headers, std::string_view body);

// For the ledger: enough to decide again. Inverse of each other.
std::string render_event(const WebhookEvent& event);
WebhookEvent read_event(std::string_view json); // throws Error{invalid_input}

// What the owner of an app asked for.
struct WebhookSettings {
    std::string repository;    // "owner/repo"
    std::string repository_id; // once known, this is compared: names change hands
    std::string branch = "main";
    bool pull_requests = false; // those against `branch`
    bool forks = false;         // pull requests of strangers: their code would run here
    bool wait_for_ci = false;   // build a push once the forge's CI said that it is good
    std::string ci_name;        // the one whose word counts; empty: all that have reported
    bool skip_marks = true;     // "[skip ci]" in the message
};

struct BuildCommit {
    std::string ref;
    std::string commit;
};
struct IgnoreEvent {
    std::string reason; // one sentence
};
struct WaitForCi {
    std::string ref;
    std::string commit;
};
// A part of CI reported on a commit: what waits for it may go on once all of them are content
// (combine).
struct CiResult {
    std::string commit;
    CiVerdict verdict;
    std::string name;
};
using WebhookDecision = std::variant<BuildCommit, IgnoreEvent, WaitForCi, CiResult>;

// "7" of refs/pull/7/head and refs/merge-requests/7/head; empty: a ref of the repository's own.
std::optional<std::string> proposal_of(std::string_view ref);

// Whether the payload is about the repository that the settings name.
bool concerns(const WebhookEvent& event, const WebhookSettings& settings);
// Of all results that were decided as such for one commit, the newest first. As forges combine
// them: of each source its last run counts; one failure is a failure, else one that goes on is
// pending, else one success is a success.
CiVerdict combine(const std::vector<WebhookEvent>& results);
WebhookDecision decide(const WebhookEvent& event, const WebhookSettings& settings);

} // namespace receiver
