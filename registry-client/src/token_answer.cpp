#include "token_answer.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace registry {

TokenAnswer parse_token_answer(std::string_view body) {
    const auto parsed = base::json::parse(body, "the token server's answer");
    if (!parsed.is_object())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the token server's answer is not an object");
    auto token = base::json::find_string(parsed, "token");
    if (!token || token->empty()) token = base::json::find_string(parsed, "access_token");
    if (!token || token->empty())
        throw base::Error(base::ErrorKind::unavailable, "the token server gave no token");
    const bool plain =
        std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (!plain)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the token server's token has characters that no token has");
    const auto lifetime = base::json::find_integer(parsed, "expires_in").value_or(60);
    return {*token, std::chrono::seconds(std::clamp<std::int64_t>(lifetime, 60, 86400))};
}

} // namespace registry
