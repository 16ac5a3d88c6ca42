#include "registry_tokens.h"

#include "base/crypto.h"
#include "base/json.h"
#include "base/sha256.h"

#include <nlohmann/json.hpp>

namespace server {
namespace {

constexpr std::string_view start_of_build_secret = "slb_";
constexpr std::size_t letters_of_hmac = 64;
constexpr std::size_t letters_of_password = 40;
constexpr std::size_t fingerprint_bytes = 30;
// It is read when docker-registry starts and never again; no server runs for that long.
constexpr std::chrono::hours life_of_certificate{24 * 365 * 20};
// Its clock is ours. A token that is checked within the second it was made in must not be too new.
constexpr std::int64_t leeway = 60;

std::string sign_for_build(const base::Secret& key, std::string_view build) {
    return base::hmac_sha256_hex(key.reveal(), build);
}

base::json::Value render_access(const std::vector<RegistryScope>& access) {
    auto list = base::json::Value::array();
    for (const auto& scope : access)
        list.push_back({{"type", scope.type}, {"name", scope.name}, {"actions", scope.actions}});
    return list;
}

} // namespace

std::string fingerprint_of_key(std::string_view public_key) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    base::Sha256 hash;
    hash.update(public_key);
    const auto digest = hash.finish();
    std::string text;
    // Five bytes make eight letters: nothing is left over of thirty.
    for (std::size_t at = 0; at < fingerprint_bytes; at += 5) {
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 5; ++i) bits = bits << 8 | digest[at + i];
        for (int i = 7; i >= 0; --i) {
            if (text.size() % 5 == 4) text += ':';
            text += letters[bits >> (5 * i) & 31];
        }
    }
    return text;
}

RegistryTokens::RegistryTokens()
    : certificate_(key_.certificate("slipway registry tokens", life_of_certificate)),
      key_id_(fingerprint_of_key(key_.public_key().der())),
      own_password_(base::random_token(letters_of_password)),
      builds_key_(base::random_token(letters_of_password)) {}

std::string RegistryTokens::make(std::string_view subject, const std::vector<RegistryScope>& access,
                                 std::int64_t now) const {
    const auto seconds = now / 1000;
    const base::json::Value header{{"typ", "JWT"}, {"alg", "ES256"}, {"kid", key_id_}};
    const base::json::Value claims{{"iss", issuer},
                                   {"sub", subject},
                                   {"aud", service},
                                   {"iat", seconds},
                                   {"nbf", seconds - leeway},
                                   {"exp", seconds + lifetime.count()},
                                   {"jti", base::random_token(20)},
                                   {"access", render_access(access)}};
    const auto content = base::base64url_encode(base::json::render(header)) + "." +
                         base::base64url_encode(base::json::render(claims));
    return content + "." + base::base64url_encode(key_.sign_es256(content));
}

bool RegistryTokens::is_own_password(std::string_view text) const noexcept {
    return base::equal_in_constant_time(text, own_password_.reveal());
}

base::Secret RegistryTokens::secret_of_build(std::string_view build) const {
    return base::Secret(std::string(start_of_build_secret) + std::string(build) + "_" +
                        sign_for_build(builds_key_, build));
}

std::optional<std::string> RegistryTokens::build_of_secret(std::string_view secret) const {
    const auto least = start_of_build_secret.size() + 1 + letters_of_hmac;
    if (!secret.starts_with(start_of_build_secret) || secret.size() <= least) return std::nullopt;
    const auto end = secret.size() - letters_of_hmac - 1;
    const auto build =
        secret.substr(start_of_build_secret.size(), end - start_of_build_secret.size());
    if (!base::equal_in_constant_time(sign_for_build(builds_key_, build), secret.substr(end + 1)))
        return std::nullopt;
    return std::string(build);
}

} // namespace server
