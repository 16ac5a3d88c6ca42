#include "registry_scope.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <optional>

namespace server {
namespace {

constexpr std::size_t longest_name = 255; // with its host, as the specification counts
constexpr std::size_t longest_host = 64;  // what is left for it
constexpr std::size_t most_scopes = 100;  // of one request

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const auto end = text.find(separator);
        if (end != 0 && !text.empty()) parts.emplace_back(text.substr(0, end));
        if (end == text.npos) return parts;
        text.remove_prefix(end + 1);
    }
}

// "[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
bool is_component(std::string_view part) {
    if (part.empty() || !is_letter_or_digit(part.front()) || !is_letter_or_digit(part.back()))
        return false;
    for (std::size_t at = 0; at < part.size();) {
        const auto end = std::find_if(part.begin() + static_cast<std::ptrdiff_t>(at), part.end(),
                                      is_letter_or_digit);
        const auto between = part.substr(at, static_cast<std::size_t>(end - part.begin()) - at);
        const bool only_dashes = between.find_first_not_of('-') == between.npos;
        if (!only_dashes && between != "." && between != "_" && between != "__") return false;
        at += between.size() + 1;
    }
    return true;
}

// The name may hold a colon of its own: a registry's port.
std::optional<RegistryScope> parse_scope(std::string_view text) {
    const auto first = text.find(':'), last = text.rfind(':');
    if (first == text.npos || first == last) return std::nullopt;
    RegistryScope scope;
    scope.type = text.substr(0, std::min(first, text.find('(')));
    scope.name = text.substr(first + 1, last - first - 1);
    scope.actions = split(text.substr(last + 1), ',');
    if (scope.type.empty() || scope.name.empty() || scope.actions.empty()) return std::nullopt;
    return scope;
}

} // namespace

std::string RegistryScope::render() const {
    std::string text = type + ":" + name;
    for (std::size_t i = 0; i < actions.size(); ++i) text += (i == 0 ? ":" : ",") + actions[i];
    return text;
}

std::vector<RegistryScope> parse_registry_scopes(std::string_view text) {
    std::vector<RegistryScope> scopes;
    for (const auto& part : split(text, ' '))
        if (auto scope = parse_scope(part); scope && scopes.size() < most_scopes)
            scopes.push_back(std::move(*scope));
    return scopes;
}

std::vector<RegistryScope> intersect(std::vector<RegistryScope> asked, const MayInRegistry& may) {
    for (auto& scope : asked)
        std::erase_if(scope.actions,
                      [&](const std::string& action) { return !may(scope, action); });
    std::erase_if(asked, [](const RegistryScope& scope) { return scope.actions.empty(); });
    return asked;
}

void check_repository_name(const std::string& name) {
    const auto refuse = [&](const char* hint) {
        throw base::Error(base::ErrorKind::invalid_input,
                          base::quoted(name.substr(0, 100)) + " is no name for a repository", hint);
    };
    if (name.size() + longest_host > longest_name) refuse("Use at most 191 characters.");
    // Our stacks are there, and every build reads them.
    if (name.starts_with("stacks/")) refuse("What begins with stacks/ is the server's own.");
    std::string_view rest = name;
    while (true) {
        const auto slash = rest.find('/');
        if (!is_component(rest.substr(0, slash)))
            refuse("Use parts of a-z and 0-9, with '.', '_', '__' or '-' between them, joined by "
                   "slashes: acme/shop/web.");
        if (slash == rest.npos) return;
        rest.remove_prefix(slash + 1);
    }
}

} // namespace server
