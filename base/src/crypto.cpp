#include "base/crypto.h"

#include "base/error.h"

#include <array>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sys/random.h>

namespace base {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view token_letters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::string to_hex(const unsigned char* bytes, std::size_t size) {
    std::string text;
    text.reserve(2 * size);
    for (std::size_t i = 0; i < size; ++i) {
        text += hex_digits[bytes[i] >> 4];
        text += hex_digits[bytes[i] & 15];
    }
    return text;
}

const unsigned char* as_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace

std::string sha256_hex(std::string_view bytes) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(as_bytes(bytes), bytes.size(), digest.data());
    return to_hex(digest.data(), digest.size());
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    unsigned size = 0;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), as_bytes(bytes), bytes.size(),
              reinterpret_cast<unsigned char*>(digest.data()), &size))
        throw Error(ErrorKind::internal, "a message could not be authenticated");
    return digest;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
    const auto digest = hmac_sha256(key, bytes);
    return to_hex(as_bytes(digest), digest.size());
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_token(std::size_t characters) {
    std::string token;
    while (token.size() < characters) {
        std::array<unsigned char, 64> chance{};
        if (::getrandom(chance.data(), chance.size(), 0) != static_cast<ssize_t>(chance.size()))
            throw_errno("could not make a random token");
        // 248 is the largest multiple of 62 in a byte: each letter is as likely as another.
        for (const auto byte : chance)
            if (byte < 248 && token.size() < characters) token += token_letters[byte % 62];
    }
    return token;
}

std::string base64_encode(std::string_view bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), as_bytes(bytes),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::string base64url_encode(std::string_view bytes) {
    auto text = base64_encode(bytes);
    while (!text.empty() && text.back() == '=') text.pop_back();
    for (auto& letter : text) letter = letter == '+' ? '-' : letter == '/' ? '_' : letter;
    return text;
}

std::string base64_decode(std::string_view text) {
    const Error invalid(ErrorKind::invalid_input, "this is no base64");
    if (text.size() % 4 != 0 || text.find_first_of(" \t\r\n") != std::string_view::npos)
        throw invalid;
    // OpenSSL takes a "=" anywhere for a zero.
    if (const auto first = text.find('='); first != std::string_view::npos)
        if (first + 2 < text.size() || text.back() != '=') throw invalid;
    std::string bytes(text.size() / 4 * 3, '\0');
    if (text.empty()) return bytes;
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), as_bytes(text),
                        static_cast<int>(text.size())) < 0)
        throw invalid;
    const auto padding = text.ends_with("==") ? 2u : text.ends_with("=") ? 1u : 0u;
    bytes.resize(bytes.size() - padding);
    return bytes;
}

} // namespace base
