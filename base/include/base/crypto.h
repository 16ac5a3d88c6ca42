// Hashes, message authentication and sealed texts over OpenSSL. Any thread.
#pragma once

#include "base/secret.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace base {

std::string sha256_hex(std::string_view bytes);
std::string hmac_sha256(std::string_view key, std::string_view bytes); // 32 bytes
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);
// In a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;
// [0-9A-Za-z], from the kernel's generator.
std::string random_token(std::size_t characters);
std::string base64_encode(std::string_view bytes);
std::string base64url_encode(std::string_view bytes); // without padding
// Throws Error{invalid_input}.
std::string base64_decode(std::string_view text);

// Keys that seal texts at rest: AES-256-GCM, a fresh nonce for each text, the `context` (whose it
// is: "app/hello/DATABASE_URL") authenticated, so that a row moved elsewhere does not open.
// The file (mode 0600) holds one key a line, "ID BASE64"; the first one seals, all of them open.
class KeyRing {
  public:
    // Reads the file; makes it with one fresh key when it is not there. Throws
    // Error{invalid_input} for a file of another form, Error{denied} for one that others may read.
    static KeyRing open(const std::filesystem::path& file);
    ~KeyRing();
    KeyRing(KeyRing&&) noexcept;

    std::string seal(std::string_view plain, std::string_view context) const; // "v1:ID:BASE64"
    // Throws Error{denied} when the key is not there, the text was changed or is another's.
    Secret unseal(std::string_view sealed, std::string_view context) const;
    // Sealed by a key that is not the first one any more.
    bool is_stale(std::string_view sealed) const;
    // Held from seal() until the sealed text is where a rotation finds it; short, and by a thread
    // that does not rotate. While somebody holds it all() waits, and the other way round.
    std::shared_lock<std::shared_mutex> keep() const;
    // Everything that was sealed is written: for the look at what old keys still seal, and for
    // forget_old() after it.
    std::unique_lock<std::shared_mutex> all() const;
    // Puts a fresh key in front and writes the file (durably); the old ones stay.
    void rotate();
    // Drops all but the first, once nothing is sealed by them.
    void forget_old();

  private:
    struct State;
    explicit KeyRing(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace base
