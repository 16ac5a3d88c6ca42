#include "session_tokens.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

namespace server::api {
namespace {

constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::size_t longest = 2048;

std::string base64url_decode(std::string_view text) {
    std::string padded(text);
    for (auto& letter : padded) letter = letter == '-' ? '+' : letter == '_' ? '/' : letter;
    padded.resize((padded.size() + 3) / 4 * 4, '=');
    return base::base64_decode(padded);
}

std::string bytes_of_hex(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
    return bytes;
}

} // namespace

SessionTokens::SessionTokens() : key_(base::random_token(64)) {}

std::string SessionTokens::sign(std::string_view content) const {
    return base::base64url_encode(bytes_of_hex(base::hmac_sha256_hex(key_.reveal(), content)));
}

std::string SessionTokens::make(std::string_view token_hash, std::int64_t now) const {
    const auto seconds = now / 1000;
    const base::json::Value claims{{"iss", "slipway"},
                                   {"sub", token_hash},
                                   {"iat", seconds},
                                   {"exp", seconds + std::chrono::seconds(lifetime).count()}};
    const auto content =
        base::base64url_encode(header) + "." + base::base64url_encode(base::json::render(claims));
    return content + "." + sign(content);
}

std::optional<std::string> SessionTokens::token_hash_of(std::string_view session,
                                                        std::int64_t now) const {
    const auto dot = session.rfind('.');
    if (session.size() > longest || dot == std::string_view::npos) return std::nullopt;
    const auto content = session.substr(0, dot);
    if (!base::equal_in_constant_time(sign(content), session.substr(dot + 1))) return std::nullopt;
    // Signed by us: the rest has the form that make gave it.
    const auto claims = base::json::parse(base64url_decode(content.substr(content.find('.') + 1)),
                                          "a session's token");
    if (base::json::get_integer(claims, "exp") * 1000 <= now) return std::nullopt;
    return base::json::get_string(claims, "sub");
}

} // namespace server::api
