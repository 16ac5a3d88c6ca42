// A version of the Platform or Buildpack API: `0.12`, `v0.12` or `1` (meaning 1.0).
#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace launch {

struct ApiVersion {
    unsigned major = 0;
    unsigned minor = 0;

    auto operator<=>(const ApiVersion&) const = default;
};

std::optional<ApiVersion> parse_api_version(std::string_view text);

// The versions this launcher speaks. Before 1.0 each minor version stands for itself.
bool platform_api_supported(ApiVersion version);
bool buildpack_api_supported(ApiVersion version);

} // namespace launch
