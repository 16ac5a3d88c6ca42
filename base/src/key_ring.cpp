#include "base/crypto.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <optional>
#include <sys/random.h>
#include <sys/stat.h>

namespace base {
namespace {

constexpr std::string_view version = "v1:";
constexpr std::size_t key_bytes = 32;
// NIST SP 800-38D, 8.2.2: 96 random bits are safe for 2^32 texts of one key.
constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t id_characters = 8;
constexpr std::size_t longest_file = 1u << 16;
constexpr std::size_t largest_text = 64u << 20; // OpenSSL counts with int

struct Key {
    std::string id;
    std::string bytes;
};

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size))
        throw_errno("could not make a random key");
    return bytes;
}

void succeed(int result) {
    if (result != 1) throw Error(ErrorKind::internal, "OpenSSL could not seal a text");
}

// The key's id is authenticated with the context: nobody can pass a text off as another key's.
std::string authenticated(const Key& key, std::string_view context) {
    return std::string(version) + key.id + ":" + std::string(context);
}

// nonce, ciphertext, tag.
std::string encrypt(const Key& key, std::string_view plain, std::string_view context) {
    if (plain.size() > largest_text)
        throw Error(ErrorKind::limit_exceeded, "this text is too long to be sealed");
    const auto extra = authenticated(key, context);
    const auto nonce = random_bytes(nonce_bytes);
    std::string text(plain.size(), '\0'), tag(tag_bytes, '\0');
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    succeed(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr,
                               bytes_of(std::string_view(key.bytes)),
                               bytes_of(std::string_view(nonce))));
    succeed(EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(std::string_view(extra)),
                              static_cast<int>(extra.size())));
    succeed(EVP_EncryptUpdate(cipher.get(), bytes_of(text), &size, bytes_of(plain),
                              static_cast<int>(plain.size())));
    succeed(EVP_EncryptFinal_ex(cipher.get(), bytes_of(text) + text.size(), &size));
    succeed(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, tag.data()));
    return nonce + text + tag;
}

std::optional<std::string> decrypt(const Key& key, std::string_view sealed,
                                   std::string_view context) {
    if (sealed.size() < nonce_bytes + tag_bytes || sealed.size() > largest_text * 2)
        return std::nullopt;
    const auto extra = authenticated(key, context);
    const auto nonce = sealed.substr(0, nonce_bytes);
    std::string tag(sealed.substr(sealed.size() - tag_bytes));
    sealed = sealed.substr(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
    std::string plain(sealed.size(), '\0');
    const CipherContext cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    succeed(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr,
                               bytes_of(std::string_view(key.bytes)), bytes_of(nonce)));
    succeed(EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(std::string_view(extra)),
                              static_cast<int>(extra.size())));
    succeed(EVP_DecryptUpdate(cipher.get(), bytes_of(plain), &size, bytes_of(sealed),
                              static_cast<int>(sealed.size())));
    succeed(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()));
    if (EVP_DecryptFinal_ex(cipher.get(), bytes_of(plain) + plain.size(), &size) != 1)
        return std::nullopt;
    return plain;
}

bool is_key_id(std::string_view id) {
    return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
}

Key make_key() {
    return {random_token(id_characters), random_bytes(key_bytes)};
}

Key parse_key(std::string_view line) {
    const Error invalid(ErrorKind::invalid_input, "it has a line that is no key");
    const auto space = line.find(' ');
    if (space == std::string_view::npos || !is_key_id(line.substr(0, space))) throw invalid;
    Key key{std::string(line.substr(0, space)), {}};
    try {
        key.bytes = base64_decode(line.substr(space + 1));
    } catch (const Error&) {
        throw invalid;
    }
    if (key.bytes.size() != key_bytes) throw invalid;
    return key;
}

// The last newline counts: a file that was cut off in a key must not open as one with fewer keys.
std::vector<Key> parse_keys(std::string_view text) {
    if (text.empty() || text.back() != '\n')
        throw Error(ErrorKind::invalid_input, "it is empty or cut off");
    std::vector<Key> keys;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto key = parse_key(text.substr(0, end));
        const auto same = [&](const Key& other) { return other.id == key.id; };
        if (std::any_of(keys.begin(), keys.end(), same))
            throw Error(ErrorKind::invalid_input, "it names a key twice");
        keys.push_back(std::move(key));
        text.remove_prefix(end + 1);
    }
    return keys;
}

void write_keys(const std::filesystem::path& file, const std::vector<Key>& keys) {
    std::string text;
    for (const auto& key : keys) text += key.id + " " + base64_encode(key.bytes) + "\n";
    replace_file(file, text, 0600);
    OPENSSL_cleanse(text.data(), text.size());
}

std::string octal(unsigned mode) {
    return {'0', char('0' + (mode >> 6)), char('0' + (mode >> 3 & 7)), char('0' + (mode & 7))};
}

std::vector<Key> read_keys(const std::filesystem::path& file, const UniqueFd& fd) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno("could not look at " + file.string());
    if ((info.st_mode & 077) != 0)
        throw Error(ErrorKind::denied,
                    "others may read or change the key file " + file.string() + " (mode " +
                        octal(info.st_mode & 0777) + ")",
                    "Make it the server's own: chmod 600 " + file.string());
    try {
        return parse_keys(read_to_end(fd.get(), longest_file));
    } catch (const Error& error) {
        throw Error(error.kind(),
                    "the key file " + file.string() + " cannot be used: " + error.message(),
                    "Restore it from a backup: without it no config var can be read.");
    }
}

// "v1:ID:BASE64".
struct Sealed {
    std::string_view id;
    std::string_view body;
};
std::optional<Sealed> parse_sealed(std::string_view text) {
    if (!text.starts_with(version)) return std::nullopt;
    text.remove_prefix(version.size());
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || !is_key_id(text.substr(0, colon))) return std::nullopt;
    return Sealed{text.substr(0, colon), text.substr(colon + 1)};
}

} // namespace

struct KeyRing::State {
    std::filesystem::path file;
    Guarded<std::vector<Key>> keys;
    std::shared_mutex writing; // shared: of a text that is sealed and not yet in its place
};

KeyRing::KeyRing(std::unique_ptr<State> state) : state_(std::move(state)) {}
KeyRing::~KeyRing() {
    if (!state_) return;
    for (auto& key : *state_->keys.lock()) OPENSSL_cleanse(key.bytes.data(), key.bytes.size());
}
KeyRing::KeyRing(KeyRing&&) noexcept = default;

KeyRing KeyRing::open(const std::filesystem::path& file) {
    auto state = std::make_unique<State>();
    state->file = file;
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno != ENOENT) throw_errno("could not open the key file " + file.string());
    if (fd) {
        *state->keys.lock() = read_keys(file, fd);
    } else {
        const std::vector<Key> keys{make_key()};
        write_keys(file, keys);
        *state->keys.lock() = keys;
    }
    return KeyRing(std::move(state));
}

std::string KeyRing::seal(std::string_view plain, std::string_view context) const {
    const auto key = state_->keys.lock()->front();
    return std::string(version) + key.id + ":" + base64_encode(encrypt(key, plain, context));
}

Secret KeyRing::unseal(std::string_view sealed, std::string_view context) const {
    const Error changed(ErrorKind::denied,
                        "a sealed text does not open: it was changed, or moved from its place",
                        "Set the value again, or restore the database from a backup.");
    const auto parsed = parse_sealed(sealed);
    if (!parsed) throw changed;
    Key key;
    {
        auto keys = state_->keys.lock();
        const auto it = std::find_if(keys->begin(), keys->end(),
                                     [&](const Key& each) { return each.id == parsed->id; });
        if (it == keys->end())
            throw Error(ErrorKind::denied,
                        "a text was sealed by the key " + std::string(parsed->id) +
                            ", which is not in " + state_->file.string(),
                        "Restore the key file that belongs to this database.");
        key = *it;
    }
    std::string body;
    try {
        body = base64_decode(parsed->body);
    } catch (const Error&) {
        throw changed;
    }
    auto plain = decrypt(key, body, context);
    if (!plain) throw changed;
    return Secret(std::move(*plain));
}

bool KeyRing::is_stale(std::string_view sealed) const {
    const auto parsed = parse_sealed(sealed);
    return !parsed || parsed->id != state_->keys.lock()->front().id;
}

std::shared_lock<std::shared_mutex> KeyRing::keep() const {
    return std::shared_lock(state_->writing);
}

std::unique_lock<std::shared_mutex> KeyRing::all() const {
    return std::unique_lock(state_->writing);
}

void KeyRing::rotate() {
    auto keys = state_->keys.lock();
    auto next = *keys;
    next.insert(next.begin(), make_key());
    write_keys(state_->file, next); // what it seals is worthless unless the file has it
    *keys = std::move(next);
}

void KeyRing::forget_old() {
    auto keys = state_->keys.lock();
    if (keys->size() == 1) return;
    const std::vector<Key> first{keys->front()};
    write_keys(state_->file, first);
    *keys = first;
}

} // namespace base
