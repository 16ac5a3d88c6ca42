#include "webhook_payload.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace receiver {
namespace {

using base::json::Value;

constexpr std::size_t longest_message = 4000; // where people write marks
constexpr std::size_t longest_name = 500;

// The member at the end of the path, or null: payloads vary with the forge's version.
const Value& at(const Value& object, std::initializer_list<const char*> path) {
    static const Value none;
    const Value* value = &object;
    for (const char* name : path) {
        if (!value->is_object()) return none;
        const auto it = value->find(name);
        if (it == value->end()) return none;
        value = &*it;
    }
    return *value;
}

// Cut between characters, so that it stays UTF-8.
std::string cut(const std::string& text, std::size_t longest) {
    if (text.size() <= longest) return text;
    while (longest > 0 && (static_cast<unsigned char>(text[longest]) & 0xc0) == 0x80) --longest;
    return text.substr(0, longest);
}

std::string text_at(const Value& object, std::initializer_list<const char*> path) {
    const auto& value = at(object, path);
    return value.is_string() ? cut(value.get_ref<const std::string&>(), longest_name) : "";
}

std::string id_at(const Value& object, std::initializer_list<const char*> path) {
    const auto& value = at(object, path);
    if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
    return value.is_string() ? cut(value.get_ref<const std::string&>(), longest_name) : "";
}

std::string message_at(const Value& object, std::initializer_list<const char*> path) {
    const auto& value = at(object, path);
    return value.is_string() ? cut(value.get_ref<const std::string&>(), longest_message) : "";
}

bool is_true(const Value& object, const char* name) {
    const auto& value = at(object, {name});
    return value.is_boolean() && value.get<bool>();
}

bool is_zero(std::string_view id) {
    return id.find_first_not_of('0') == id.npos;
}

// What is to be built hangs on these: they must be there.
std::string required(const Value& object, const char* name) {
    auto text = text_at(object, {name});
    if (text.empty())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the payload has no \"" + std::string(name) + "\"");
    return text;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

CiVerdict verdict_of(std::string_view word) {
    if (word == "success") return CiVerdict::success;
    if (is_one_of(word, {"failure", "failed", "error", "timed_out", "cancelled", "canceled",
                         "startup_failure", "action_required"}))
        return CiVerdict::failure;
    if (is_one_of(word, {"pending", "requested", "rerequested", "in_progress", "queued", "created",
                         "waiting_for_resource", "preparing", "running", "scheduled", "manual"}))
        return CiVerdict::pending;
    return CiVerdict::none;
}

// 0 for what is no number of a run.
std::uint64_t number_at(const Value& object, std::initializer_list<const char*> path) {
    constexpr std::uint64_t most = 1ull << 50; // an attempt's three digits fit behind it
    const auto& value = at(object, path);
    const auto number = value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
    return number < most ? number : 0;
}

void read_push(const Value& payload, WebhookEvent& event) {
    event.kind = EventKind::push;
    event.ref = required(payload, "ref");
    event.before = text_at(payload, {"before"});
    event.after = required(payload, "after");
    event.deleted = is_true(payload, "deleted") || is_zero(event.after);
    event.message = message_at(payload, {"head_commit", "message"});
}

void read_github_pull_request(const Value& payload, WebhookEvent& event) {
    event.kind = EventKind::pull_request;
    const auto& request = at(payload, {"pull_request"});
    event.brings_commits = is_one_of(text_at(payload, {"action"}),
                                     {"opened", "reopened", "synchronize", "synchronized"});
    event.ref = "refs/pull/" + id_at(request, {"number"}) + "/head";
    event.after = text_at(request, {"head", "sha"});
    event.base_branch = text_at(request, {"base", "ref"});
    event.message = message_at(request, {"title"});
    const auto head = id_at(request, {"head", "repo", "id"});
    event.from_fork = head.empty() || head != id_at(request, {"base", "repo", "id"});
}

void read_github_ci(const Value& payload, const Value& run, WebhookEvent& event) {
    event.kind = EventKind::ci_result;
    event.after = text_at(run, {"head_sha"});
    const auto action = text_at(payload, {"action"});
    event.verdict =
        verdict_of(action.empty() || action == "completed" ? text_at(run, {"conclusion"}) : action);
    // A suite is a run of its own; a workflow has many, for each kind of event that starts it.
    if (event.name == "check_suite") {
        event.ci_source = "check_suite " + id_at(run, {"id"});
    } else {
        event.ci_source =
            "workflow_run " + id_at(run, {"workflow_id"}) + " " + text_at(run, {"event"});
        event.ci_number = number_at(run, {"id"}) * 1000 + number_at(run, {"run_attempt"}) % 1000;
    }
    event.ci_name = text_at(run, {"name"});
    if (event.ci_name.empty()) event.ci_name = text_at(run, {"app", "name"});
}

} // namespace

const PayloadMembers& members_of(Forge forge) {
    static const PayloadMembers github{"action",
                                       "ref",
                                       "before",
                                       "after",
                                       "deleted",
                                       "sha",
                                       "state",
                                       "context",
                                       "head_commit.message",
                                       "repository.full_name",
                                       "repository.id",
                                       "sender.login",
                                       "pull_request.number",
                                       "pull_request.title",
                                       "pull_request.head.sha",
                                       "pull_request.head.repo.id",
                                       "pull_request.base.ref",
                                       "pull_request.base.repo.id",
                                       "id",
                                       "check_suite.id",
                                       "check_suite.head_sha",
                                       "check_suite.conclusion",
                                       "check_suite.name",
                                       "check_suite.app.name",
                                       "workflow_run.id",
                                       "workflow_run.workflow_id",
                                       "workflow_run.event",
                                       "workflow_run.run_attempt",
                                       "workflow_run.head_sha",
                                       "workflow_run.conclusion",
                                       "workflow_run.name",
                                       "workflow_run.app.name"};
    static const PayloadMembers gitlab{"object_kind",
                                       "ref",
                                       "before",
                                       "after",
                                       "deleted",
                                       "head_commit.message",
                                       "project.path_with_namespace",
                                       "project.id",
                                       "user_username",
                                       "user.username",
                                       "commits.id",
                                       "commits.message",
                                       "object_attributes.action",
                                       "object_attributes.oldrev",
                                       "object_attributes.iid",
                                       "object_attributes.last_commit.id",
                                       "object_attributes.target_branch",
                                       "object_attributes.title",
                                       "object_attributes.source_project_id",
                                       "object_attributes.target_project_id",
                                       "object_attributes.id",
                                       "object_attributes.source",
                                       "object_attributes.sha",
                                       "object_attributes.status",
                                       "object_attributes.name"};
    static const PayloadMembers generic{"repo", "ref", "sha", "before", "message", "sender"};
    switch (forge) {
    case Forge::gitlab:
        return gitlab;
    case Forge::generic:
        return generic;
    default:
        return github;
    }
}

void read_github(const Value& payload, WebhookEvent& event) {
    event.repository = text_at(payload, {"repository", "full_name"});
    event.repository_id = id_at(payload, {"repository", "id"});
    event.sender = text_at(payload, {"sender", "login"});
    if (event.name == "push") {
        read_push(payload, event);
    } else if (event.name == "pull_request") {
        read_github_pull_request(payload, event);
    } else if (event.name == "check_suite" || event.name == "workflow_run") {
        read_github_ci(payload, at(payload, {event.name.c_str()}), event);
    } else if (event.name == "status") {
        event.kind = EventKind::ci_result;
        event.after = text_at(payload, {"sha"});
        event.verdict = verdict_of(text_at(payload, {"state"}));
        event.ci_name = text_at(payload, {"context"});
        event.ci_source = "status " + event.ci_name;
        event.ci_number = number_at(payload, {"id"});
    } else if (event.name == "ping") {
        event.kind = EventKind::ping;
    }
}

void read_gitlab(const Value& payload, WebhookEvent& event) {
    event.repository = text_at(payload, {"project", "path_with_namespace"});
    event.repository_id = id_at(payload, {"project", "id"});
    event.sender = text_at(payload, {"user_username"});
    if (event.sender.empty()) event.sender = text_at(payload, {"user", "username"});
    const auto kind = text_at(payload, {"object_kind"});
    const auto& attributes = at(payload, {"object_attributes"});
    if (kind == "push" || kind == "tag_push") {
        read_push(payload, event);
        const auto& commits = at(payload, {"commits"});
        for (const auto& commit : commits.is_array() ? commits : Value::array())
            if (text_at(commit, {"id"}) == event.after)
                event.message = message_at(commit, {"message"});
    } else if (kind == "merge_request") {
        event.kind = EventKind::pull_request;
        const auto action = text_at(attributes, {"action"});
        event.brings_commits = is_one_of(action, {"open", "reopen"}) ||
                               (action == "update" && !text_at(attributes, {"oldrev"}).empty());
        event.ref = "refs/merge-requests/" + id_at(attributes, {"iid"}) + "/head";
        event.after = text_at(attributes, {"last_commit", "id"});
        event.base_branch = text_at(attributes, {"target_branch"});
        event.message = message_at(attributes, {"title"});
        const auto source = id_at(attributes, {"source_project_id"});
        event.from_fork = source.empty() || source != id_at(attributes, {"target_project_id"});
    } else if (kind == "pipeline") {
        event.kind = EventKind::ci_result;
        event.after = text_at(attributes, {"sha"});
        event.verdict = verdict_of(text_at(attributes, {"status"}));
        event.ci_name = text_at(attributes, {"name"});
        event.ci_source = "pipeline " + text_at(attributes, {"source"});
        event.ci_number = number_at(attributes, {"id"});
    }
}

void read_generic(const Value& payload, WebhookEvent& event) {
    if (event.name == "ping") {
        event.kind = EventKind::ping;
        return;
    }
    if (!event.name.empty() && event.name != "push") return;
    event.kind = EventKind::push;
    event.repository = required(payload, "repo");
    event.ref = required(payload, "ref");
    event.after = required(payload, "sha");
    event.before = text_at(payload, {"before"});
    event.message = message_at(payload, {"message"});
    event.sender = text_at(payload, {"sender"});
    event.deleted = is_zero(event.after);
}

} // namespace receiver
