// RFC 4648 base64, for Authorization headers and Docker's configuration. Values only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace registry {

std::string encode_base64(std::string_view bytes);
// Empty when it is not base64; missing padding is taken.
std::optional<std::string> decode_base64(std::string_view text);

} // namespace registry
