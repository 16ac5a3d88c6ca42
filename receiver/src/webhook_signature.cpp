#include "receiver/webhook.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/text.h"

#include <array>
#include <initializer_list>
#include <utility>

namespace receiver {
namespace {

constexpr std::array forges{std::pair{Forge::github, std::string_view("github")},
                            std::pair{Forge::gitlab, std::string_view("gitlab")},
                            std::pair{Forge::gitea, std::string_view("gitea")},
                            std::pair{Forge::generic, std::string_view("generic")}};

// A header that came twice is nobody's: which of the two did a proxy in between look at?
std::string_view only_one(const WebhookHeaders& headers, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        const auto [first, last] = headers.equal_range(name);
        if (first == last) continue;
        return std::next(first) == last ? std::string_view(first->second) : std::string_view();
    }
    return {};
}

bool is_hmac(std::string_view given, std::string_view body, std::string_view secret) {
    return base::equal_in_constant_time(given, base::hmac_sha256_hex(secret, body));
}

std::string_view without_algorithm(std::string_view signature) {
    constexpr std::string_view prefix = "sha256=";
    return signature.starts_with(prefix) ? signature.substr(prefix.size()) : std::string_view();
}

bool has(const WebhookHeaders& headers, std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (headers.contains(name)) return true;
    return false;
}

} // namespace

std::string_view to_string(Forge forge) noexcept {
    for (const auto& [value, name] : forges)
        if (value == forge) return name;
    return "generic";
}

Forge parse_forge(std::string_view name) {
    for (const auto& [value, known] : forges)
        if (known == name) return value;
    throw base::Error(base::ErrorKind::invalid_input,
                      base::quoted(name) + " is not a kind of webhook",
                      "There are github, gitlab, gitea (for Forgejo, too) and generic.");
}

bool verify(Forge forge, const WebhookHeaders& headers, std::string_view body,
            std::string_view secret) {
    if (secret.empty()) return false;
    switch (forge) {
    case Forge::github:
        return is_hmac(without_algorithm(only_one(headers, {"x-hub-signature-256"})), body, secret);
    case Forge::gitea:
        return is_hmac(only_one(headers, {"x-gitea-signature", "x-forgejo-signature"}), body,
                       secret);
    case Forge::gitlab: // hashed first: not even the secret's length is told
        return base::equal_in_constant_time(base::sha256_hex(only_one(headers, {"x-gitlab-token"})),
                                            base::sha256_hex(secret));
    case Forge::generic:
        return is_hmac(without_algorithm(only_one(headers, {"x-signature-256", "x-signature"})),
                       body, secret);
    }
    return false;
}

std::optional<Forge> detect_forge(const WebhookHeaders& headers) {
    if (has(headers, {"x-forgejo-event", "x-gitea-event"})) return Forge::gitea;
    if (has(headers, {"x-gitlab-event", "x-gitlab-token"})) return Forge::gitlab;
    if (has(headers, {"x-github-event"})) return Forge::github;
    if (has(headers, {"x-signature", "x-signature-256"})) return Forge::generic;
    return std::nullopt;
}

} // namespace receiver
