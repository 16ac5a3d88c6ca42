#include "image/digest.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
#include <new>
#include <openssl/evp.h>
#include <vector>

namespace image {
namespace {

constexpr std::string_view prefix = "sha256:";

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

} // namespace

// Strict on purpose: a digest becomes a file name and a URL (CVE-2024-3727 was a lax parse).
Digest Digest::parse(std::string_view text) {
    const auto refuse = [&] {
        throw base::Error(base::ErrorKind::invalid_input,
                          base::quoted(text.substr(0, 100)) + " is not a sha256 digest",
                          "A digest is sha256: and 64 lower-case hexadecimal digits.");
    };
    if (text.size() != prefix.size() + 64 || !text.starts_with(prefix)) refuse();
    Digest digest;
    const auto hex = text.substr(prefix.size());
    for (std::size_t i = 0; i < 32; ++i) {
        const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0) refuse();
        digest.bytes_[i] = static_cast<unsigned char>(high << 4 | low);
    }
    return digest;
}

Digest Digest::of(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.finish();
}

std::string Digest::hex() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(64);
    for (const unsigned char byte : bytes_) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string Digest::render() const {
    return std::string(prefix) + hex();
}

struct Sha256::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    if (!context_->evp || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1)
        throw std::bad_alloc();
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
    Digest digest;
    if (EVP_DigestFinal_ex(context_->evp, digest.bytes_.data(), nullptr) != 1)
        throw base::Error(base::ErrorKind::internal, "a hash was finished twice");
    return digest;
}

Digest digest_of_file(const std::filesystem::path& path) {
    const base::UniqueFd file = base::open_file(path, O_RDONLY);
    Sha256 hash;
    std::vector<char> buffer(1u << 20);
    while (const std::size_t n = base::read_some(file.get(), buffer.data(), buffer.size()))
        hash.update({buffer.data(), n});
    return hash.finish();
}

} // namespace image
