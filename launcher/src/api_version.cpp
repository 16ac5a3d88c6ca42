#include "api_version.h"

#include <charconv>

namespace launch {
namespace {

bool parse_number(std::string_view digits, unsigned& number) {
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, number);
    return error == std::errc{} && stop == end;
}

} // namespace

std::optional<ApiVersion> parse_api_version(std::string_view text) {
    if (text.starts_with('v')) text.remove_prefix(1);
    const size_t dot = text.find('.');
    ApiVersion version;
    if (!parse_number(text.substr(0, dot), version.major)) return std::nullopt;
    if (dot == std::string_view::npos || dot + 1 == text.size()) return version;
    if (!parse_number(text.substr(dot + 1), version.minor)) return std::nullopt;
    return version;
}

bool platform_api_supported(ApiVersion version) {
    return version >= ApiVersion{0, 7} && version <= ApiVersion{0, 15};
}

bool buildpack_api_supported(ApiVersion version) {
    return version >= ApiVersion{0, 7} && version <= ApiVersion{0, 12};
}

} // namespace launch
