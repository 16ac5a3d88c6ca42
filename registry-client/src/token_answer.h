// What a token server gives (distribution's auth/token.md and auth/oauth.md). Values only.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace registry {

struct TokenAnswer {
    std::string token;
    std::chrono::seconds lifetime; // 60 when not said, and never taken for less; at most a day
};

// Throws Error{invalid_input | unavailable}: no JSON, no token, or one that is no header's value.
TokenAnswer parse_token_answer(std::string_view body);

} // namespace registry
