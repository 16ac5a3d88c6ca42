// What a key pair is asked for by the web's formats: certificates and tokens.
#include "base/key_pair.h"

#include "openssl_objects.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

namespace base {

using namespace openssl;

namespace {

constexpr int half_of_a_signature = 32;

// Two certificates of one issuer must not have one number (RFC 5280 section 4.1.2.2).
void give_serial_number(X509* certificate) {
    Owned<BIGNUM, BN_free> number(BN_new());
    require(number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)),
            "number a certificate");
}

std::string to_pem(X509* certificate) {
    Memory memory(BIO_new(BIO_s_mem()));
    require(memory && PEM_write_bio_X509(memory.get(), certificate), "write a certificate");
    return written(memory.get());
}

} // namespace

std::string KeyPair::certificate(std::string_view common_name, std::chrono::hours lifetime) const {
    EVP_PKEY* key = pkey(public_.key_);
    Owned<X509, X509_free> made(X509_new());
    require(made && X509_set_version(made.get(), X509_VERSION_3) &&
                X509_set_pubkey(made.get(), key),
            "make a certificate");
    give_serial_number(made.get());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), std::chrono::seconds(lifetime).count());
    X509_NAME* name = X509_get_subject_name(made.get());
    require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, as_bytes(common_name),
                                       static_cast<int>(common_name.size()), -1, 0) &&
                X509_set_issuer_name(made.get(), name) && X509_sign(made.get(), key, EVP_sha256()),
            "sign a certificate");
    return to_pem(made.get());
}

// OpenSSL writes ASN.1; ES256 wants the two numbers side by side.
std::string KeyPair::sign_es256(std::string_view bytes) const {
    const auto der = sign(bytes);
    const unsigned char* at = as_bytes(der);
    Owned<ECDSA_SIG, ECDSA_SIG_free> numbers(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
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
