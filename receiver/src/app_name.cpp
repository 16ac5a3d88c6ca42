#include "receiver/app_name.h"

namespace receiver {
namespace {

constexpr std::size_t longest_name = 48;
constexpr std::string_view suffix = ".git";

bool is_alphanumeric(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

} // namespace

bool is_app_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > longest_name || name.ends_with(suffix)) return false;
    if (!is_alphanumeric(name.front()) || !is_alphanumeric(name.back())) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (is_alphanumeric(name[i]) || name[i] == '-') continue;
        if (name[i] != '.') return false;
        // "a..b" and "a.-b" are no image repositories; first and last were checked above.
        if (!is_alphanumeric(name[i - 1]) || !is_alphanumeric(name[i + 1])) return false;
    }
    return true;
}

std::optional<std::string> parse_app_path(std::string_view path) {
    if (path.starts_with('/')) path.remove_prefix(1);
    if (path.ends_with(suffix)) path.remove_suffix(suffix.size());
    if (!is_app_name(path)) return std::nullopt;
    return std::string(path);
}

} // namespace receiver
