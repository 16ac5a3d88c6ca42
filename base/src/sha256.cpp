#include "base/sha256.h"

#include "base/error.h"

#include <new>
#include <openssl/evp.h>

namespace base {

struct Sha256::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    bool finished = false;
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

Sha256::Digest Sha256::finish() {
    Digest digest{};
    if (context_->finished || EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) != 1)
        throw Error(ErrorKind::internal, "a hash was finished twice");
    context_->finished = true;
    return digest;
}

std::string to_hex(const Sha256::Digest& digest) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const unsigned char byte : digest) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace base
