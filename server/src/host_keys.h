// The server's SSH identity: made once, kept for ever. main's thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace server {

struct HostKey {
    std::filesystem::path file; // the private half, mode 0600
    std::string fingerprint;    // "SHA256:..."
};

// Ed25519 and RSA, generated with ssh-keygen where missing.
std::vector<HostKey> open_host_keys(const std::filesystem::path& directory);

struct PublicKey {
    std::string type; // "ssh-ed25519"
    std::string text; // type and base64
    std::string fingerprint;
};

// One line of an authorized_keys or .pub file. Throws Error{invalid_input} for a private key, for
// options, for a type or a strength that we do not take.
PublicKey parse_public_key(std::string_view text);

} // namespace server
