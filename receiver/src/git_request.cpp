#include "receiver/git_request.h"

#include <array>
#include <utility>

namespace receiver {
namespace {

constexpr std::size_t longest_command = 512;

constexpr std::array<std::pair<std::string_view, Service>, 4> commands{{
    {"git-receive-pack ", Service::receive_pack},
    {"git receive-pack ", Service::receive_pack},
    {"git-upload-pack ", Service::upload_pack},
    {"git upload-pack ", Service::upload_pack},
}};

// One word, quoted whole or not at all. No escapes: no app's name needs them.
std::optional<std::string> parse_word(std::string_view text) {
    if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"')) {
        if (text.back() != text.front()) return std::nullopt;
        text = text.substr(1, text.size() - 2);
    }
    for (const char c : text)
        if (c <= ' ' || c > '~' || c == '\'' || c == '"' || c == '\\') return std::nullopt;
    if (text.empty()) return std::nullopt;
    return std::string(text);
}

} // namespace

std::string_view to_string(Service service) noexcept {
    return service == Service::receive_pack ? "git-receive-pack" : "git-upload-pack";
}

std::optional<GitRequest> parse_git_request(std::string_view command) {
    if (command.size() > longest_command) return std::nullopt;
    for (const auto& [prefix, service] : commands) {
        if (!command.starts_with(prefix)) continue;
        auto path = parse_word(command.substr(prefix.size()));
        if (!path) return std::nullopt;
        return GitRequest{.service = service, .path = std::move(*path)};
    }
    return std::nullopt;
}

bool is_git_protocol(std::string_view value) noexcept {
    return value.size() == 9 && value.starts_with("version=") && value[8] >= '0' && value[8] <= '2';
}

} // namespace receiver
