#include "base/key_pair.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "openssl_objects.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

namespace base {

using namespace openssl;

namespace {

constexpr std::size_t largest_pem = 64u << 10;
constexpr std::string_view public_begin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view public_end = "-----END PUBLIC KEY-----";

Memory reading(std::string_view text) {
    Memory memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    require(memory != nullptr, "read a key");
    return memory;
}

// A question for a passphrase would block a server for ever.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

bool is_on_p256(EVP_PKEY* key) {
    char group[32] = {};
    std::size_t size = 0;
    return key && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
           std::string_view(group, size) == "prime256v1";
}

std::shared_ptr<const void> shared(Key key, const char* what) {
    if (!is_on_p256(key.get())) {
        ERR_clear_error();
        throw Error(ErrorKind::invalid_input,
                    std::string("this is no ") + what + " key of ECDSA on P-256 in PEM",
                    "One is made by: openssl ecparam -name prime256v1 -genkey -noout");
    }
    return {key.release(), [](EVP_PKEY* last) { EVP_PKEY_free(last); }};
}

std::string public_pem(EVP_PKEY* key) {
    Memory memory(BIO_new(BIO_s_mem()));
    require(memory && PEM_write_bio_PUBKEY(memory.get(), key), "write a public key");
    return written(memory.get());
}

std::string public_der(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key, &der);
    require(size > 0, "write a public key");
    std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

} // namespace

PublicKey PublicKey::parse(std::string_view pem) {
    PublicKey key;
    key.key_ = shared(Key(PEM_read_bio_PUBKEY(reading(pem.substr(0, largest_pem)).get(), nullptr,
                                              no_passphrase, nullptr)),
                      "public");
    key.pem_ = public_pem(pkey(key.key_));
    key.id_ = sha256_hex(public_der(pkey(key.key_)));
    return key;
}

std::vector<PublicKey> PublicKey::parse_all(std::string_view text) {
    std::vector<PublicKey> keys;
    for (auto begin = text.find(public_begin); begin != text.npos;
         begin = text.find(public_begin, begin)) {
        const auto end = text.find(public_end, begin);
        if (end == text.npos) break;
        const auto size = end + public_end.size() - begin;
        keys.push_back(parse(text.substr(begin, size)));
        begin += size;
    }
    if (keys.empty()) keys.push_back(parse(text)); // which says what it is not
    return keys;
}

std::string PublicKey::der() const {
    return public_der(pkey(key_));
}

bool PublicKey::has_signed(std::string_view bytes, std::string_view signature) const noexcept {
    const Digesting context(EVP_MD_CTX_new());
    const bool valid =
        context &&
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pkey(key_)) == 1 &&
        EVP_DigestVerify(context.get(), as_bytes(signature), signature.size(), as_bytes(bytes),
                         bytes.size()) == 1;
    if (!valid) ERR_clear_error();
    return valid;
}

KeyPair KeyPair::make() {
    Key key(EVP_EC_gen("P-256"));
    require(key != nullptr, "make a key");
    KeyPair pair;
    pair.public_.key_ = shared(std::move(key), "private");
    pair.public_.pem_ = public_pem(pkey(pair.public_.key_));
    pair.public_.id_ = sha256_hex(public_der(pkey(pair.public_.key_)));
    return pair;
}

KeyPair KeyPair::parse(const Secret& pem) {
    KeyPair pair;
    pair.public_.key_ = shared(
        Key(PEM_read_bio_PrivateKey(reading(pem.reveal()).get(), nullptr, no_passphrase, nullptr)),
        "private");
    pair.public_.pem_ = public_pem(pkey(pair.public_.key_));
    pair.public_.id_ = sha256_hex(public_der(pkey(pair.public_.key_)));
    return pair;
}

KeyPair KeyPair::open(const std::filesystem::path& file) {
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw_errno("could not open the signing key " + file.string());
    if (!fd) {
        auto made = make();
        replace_file(file, made.pem().reveal(), 0600);
        return made;
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("could not read " + file.string());
    if (status.st_mode & 077)
        throw Error(ErrorKind::denied, "others may read the signing key " + file.string(),
                    "chmod 600 " + file.string());
    return while_doing("reading the signing key " + file.string(),
                       [&] { return parse(Secret(read_to_end(fd.get(), largest_pem))); });
}

Secret KeyPair::pem() const {
    Memory memory(BIO_new(BIO_s_mem()));
    require(memory && PEM_write_bio_PKCS8PrivateKey(memory.get(), pkey(public_.key_), nullptr,
                                                    nullptr, 0, no_passphrase, nullptr),
            "write a private key");
    return Secret(written(memory.get()));
}

std::string KeyPair::sign(std::string_view bytes) const {
    const Digesting context(EVP_MD_CTX_new());
    std::size_t size = 0;
    require(context &&
                EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                                   pkey(public_.key_)) == 1 &&
                EVP_DigestSign(context.get(), nullptr, &size, as_bytes(bytes), bytes.size()) == 1,
            "sign");
    std::string signature(size, '\0');
    require(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                           as_bytes(bytes), bytes.size()) == 1,
            "sign");
    signature.resize(size);
    return signature;
}

} // namespace base
