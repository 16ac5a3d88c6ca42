#include "base/signing_key.h"

#include "base/error.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

namespace base {
namespace {

constexpr int half_of_a_signature = 32;

template <auto free>
struct Free {
    template <class T>
    void operator()(T* thing) const {
        free(thing);
    }
};
template <class T, auto free>
using Owned = std::unique_ptr<T, Free<free>>;

void require(bool worked, const char* what) {
    if (!worked) throw Error(ErrorKind::internal, std::string("OpenSSL could not ") + what);
}

const unsigned char* as_bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

// Two certificates of one issuer must not have one number (RFC 5280 section 4.1.2.2).
void give_serial_number(X509* certificate) {
    Owned<BIGNUM, BN_free> number(BN_new());
    require(number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)),
            "number a certificate");
}

std::string to_pem(X509* certificate) {
    Owned<BIO, BIO_free_all> memory(BIO_new(BIO_s_mem()));
    require(memory && PEM_write_bio_X509(memory.get(), certificate), "write a certificate");
    char* text = nullptr;
    const auto size = BIO_get_mem_data(memory.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

} // namespace

struct SigningKey::Key {
    Owned<EVP_PKEY, EVP_PKEY_free> pkey;
};

SigningKey::SigningKey() : key_(std::make_unique<Key>()) {
    key_->pkey.reset(EVP_EC_gen("P-256"));
    require(key_->pkey != nullptr, "make a key");
}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;

std::string SigningKey::certificate(std::string_view common_name,
                                    std::chrono::hours lifetime) const {
    Owned<X509, X509_free> made(X509_new());
    require(made && X509_set_version(made.get(), X509_VERSION_3) &&
                X509_set_pubkey(made.get(), key_->pkey.get()),
            "make a certificate");
    give_serial_number(made.get());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), std::chrono::seconds(lifetime).count());
    X509_NAME* name = X509_get_subject_name(made.get());
    require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, as_bytes(common_name),
                                       static_cast<int>(common_name.size()), -1, 0) &&
                X509_set_issuer_name(made.get(), name) &&
                X509_sign(made.get(), key_->pkey.get(), EVP_sha256()),
            "sign a certificate");
    return to_pem(made.get());
}

std::string SigningKey::public_key() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_->pkey.get(), &der);
    require(size > 0, "write a public key");
    std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

// OpenSSL writes ASN.1; ES256 wants the two numbers side by side.
std::string SigningKey::sign(std::string_view bytes) const {
    Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
    std::size_t size = 0;
    require(context &&
                EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                                   key_->pkey.get()) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, as_bytes(bytes), bytes.size()) == 1,
            "sign");
    std::string der(size, '\0');
    require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
                           as_bytes(bytes), bytes.size()) == 1,
            "sign");
    const unsigned char* at = as_bytes(der);
    Owned<ECDSA_SIG, ECDSA_SIG_free> numbers(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
    std::string signature(2 * half_of_a_signature, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    require(numbers &&
                BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), out, half_of_a_signature) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), out + half_of_a_signature,
                             half_of_a_signature) > 0,
            "write a signature");
    return signature;
}

} // namespace base
