#include "webhook_payload.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <type_traits>

namespace receiver {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;

constexpr std::size_t longest_delivery = 100;

constexpr std::array event_kinds{
    std::pair{EventKind::push, std::string_view("push")},
    std::pair{EventKind::pull_request, std::string_view("pull_request")},
    std::pair{EventKind::ci_result, std::string_view("ci_result")},
    std::pair{EventKind::ping, std::string_view("ping")},
    std::pair{EventKind::other, std::string_view("other")}};

std::string header(const WebhookHeaders& headers, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (const auto it = headers.find(name); it != headers.end()) return it->second;
    return {};
}

// application/x-www-form-urlencoded: the field "payload", decoded.
std::string payload_field(std::string_view form) {
    constexpr std::string_view field = "payload=";
    while (!form.empty() && !form.starts_with(field)) {
        const auto next = form.find('&');
        form = next == form.npos ? std::string_view() : form.substr(next + 1);
    }
    if (form.empty()) throw Error(ErrorKind::invalid_input, "the form has no field \"payload\"");
    form = form.substr(field.size(), form.find('&') - field.size());
    std::string decoded;
    decoded.reserve(form.size());
    for (std::size_t i = 0; i < form.size(); ++i) {
        unsigned byte = 0;
        if (form[i] == '%' && i + 2 < form.size() &&
            std::from_chars(form.data() + i + 1, form.data() + i + 3, byte, 16).ptr ==
                form.data() + i + 3) {
            decoded += static_cast<char>(byte);
            i += 2;
        } else {
            decoded += form[i] == '+' ? ' ' : form[i];
        }
    }
    return decoded;
}

bool is_form(const WebhookHeaders& headers) {
    auto type = header(headers, {"content-type"});
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return type.starts_with("application/x-www-form-urlencoded");
}

// The sender's id becomes part of a URL and of a table's key.
std::string delivery_id(const std::string& sent, std::string_view body) {
    const bool plain = !sent.empty() && sent.size() <= longest_delivery &&
                       std::all_of(sent.begin(), sent.end(), [](unsigned char c) {
                           return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
                       });
    if (plain) return sent;
    return "sha256-" + base::sha256_hex(sent.empty() ? body : std::string_view(sent));
}

std::string delivery_of(Forge forge, const WebhookHeaders& headers, std::string_view body) {
    switch (forge) {
    case Forge::github:
        return delivery_id(header(headers, {"x-github-delivery"}), body);
    case Forge::gitea:
        return delivery_id(header(headers, {"x-forgejo-delivery", "x-gitea-delivery"}), body);
    case Forge::gitlab: // the event's id alone is shared by hooks that call each other
        if (const auto key = header(headers, {"idempotency-key"}); !key.empty())
            return delivery_id(key, body);
        if (const auto event = header(headers, {"x-gitlab-event-uuid"}); !event.empty())
            return delivery_id(event + ":" + base::sha256_hex(body).substr(0, 16), body);
        return delivery_id({}, body);
    case Forge::generic:
        return delivery_id(header(headers, {"x-delivery", "x-delivery-id", "idempotency-key"}),
                           body);
    }
    return delivery_id({}, body);
}

std::string event_name(Forge forge, const WebhookHeaders& headers) {
    switch (forge) {
    case Forge::github:
        return header(headers, {"x-github-event"});
    case Forge::gitea:
        return header(headers, {"x-forgejo-event", "x-gitea-event"});
    case Forge::gitlab:
        return header(headers, {"x-gitlab-event"});
    case Forge::generic:
        return header(headers, {"x-event"});
    }
    return {};
}

} // namespace

std::string_view to_string(EventKind kind) noexcept {
    for (const auto& [value, name] : event_kinds)
        if (value == kind) return name;
    return "other";
}

WebhookEvent parse_webhook(Forge forge, const WebhookHeaders& headers, std::string_view body) {
    if (const auto caller = detect_forge(headers); caller && *caller != forge)
        throw Error(ErrorKind::invalid_input,
                    "this webhook was added for " + std::string(to_string(forge)) + ", and " +
                        std::string(to_string(*caller)) + " calls it",
                    "Add another one: slipway webhooks add APP --" +
                        std::string(to_string(*caller)) + " OWNER/REPO");
    const auto& members = members_of(forge);
    const bool form = forge != Forge::generic && is_form(headers); // curl says so of any bytes
    const auto payload =
        form ? members.read(payload_field(body), "the payload") : members.read(body, "the body");
    if (!payload.is_object())
        throw Error(ErrorKind::invalid_input, "the payload is not a JSON object");
    WebhookEvent event;
    event.name = event_name(forge, headers).substr(0, longest_delivery);
    event.delivery = delivery_of(forge, headers, body);
    switch (forge) {
    case Forge::github:
    case Forge::gitea:
        read_github(payload, event);
        break;
    case Forge::gitlab:
        read_gitlab(payload, event);
        break;
    case Forge::generic:
        read_generic(payload, event);
        break;
    }
    return event;
}

std::string render_event(const WebhookEvent& event) {
    Value content{{"kind", to_string(event.kind)}};
    // What says nothing is left out: read_event takes it so, and the ledger has many rows.
    const auto put = [&](const char* name, const auto& value) {
        if (value != std::decay_t<decltype(value)>()) content[name] = value;
    };
    put("name", event.name);
    put("delivery", event.delivery);
    put("repository", event.repository);
    put("repository_id", event.repository_id);
    put("ref", event.ref);
    put("before", event.before);
    put("after", event.after);
    put("deleted", event.deleted);
    put("message", event.message);
    put("sender", event.sender);
    put("brings_commits", event.brings_commits);
    put("from_fork", event.from_fork);
    put("base_branch", event.base_branch);
    put("verdict", static_cast<int>(event.verdict));
    put("ci_name", event.ci_name);
    put("ci_source", event.ci_source);
    put("ci_number", event.ci_number);
    return base::json::render(content);
}

WebhookEvent read_event(std::string_view json) {
    const auto value = base::json::parse(json, "a delivery's content");
    const auto text = [&](std::string_view name) {
        return base::json::find_string(value, name).value_or("");
    };
    WebhookEvent event;
    const auto kind = text("kind");
    for (const auto& [known, name] : event_kinds)
        if (name == kind) event.kind = known;
    event.name = text("name");
    event.delivery = text("delivery");
    event.repository = text("repository");
    event.repository_id = text("repository_id");
    event.ref = text("ref");
    event.before = text("before");
    event.after = text("after");
    event.deleted = base::json::find_bool(value, "deleted", false);
    event.message = text("message");
    event.sender = text("sender");
    event.brings_commits = base::json::find_bool(value, "brings_commits", false);
    event.from_fork = base::json::find_bool(value, "from_fork", false);
    event.base_branch = text("base_branch");
    const auto verdict = base::json::find_integer(value, "verdict").value_or(0);
    event.verdict = verdict == 1   ? CiVerdict::success
                    : verdict == 2 ? CiVerdict::failure
                    : verdict == 3 ? CiVerdict::pending
                                   : CiVerdict::none;
    event.ci_name = text("ci_name");
    event.ci_source = text("ci_source");
    event.ci_number = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, base::json::find_integer(value, "ci_number").value_or(0)));
    return event;
}

} // namespace receiver
