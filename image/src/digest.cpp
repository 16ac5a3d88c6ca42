#include "image/digest.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"

#include <fcntl.h>
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
    base::Sha256 hash;
    hash.update(bytes);
    return Digest(hash.finish());
}

std::string Digest::hex() const {
    return base::to_hex(bytes_);
}

std::string Digest::render() const {
    return std::string(prefix) + hex();
}

Digest digest_of_file(const std::filesystem::path& path) {
    const base::UniqueFd file = base::open_file(path, O_RDONLY);
    base::Sha256 hash;
    std::vector<char> buffer(1u << 20);
    while (const std::size_t n = base::read_some(file.get(), buffer.data(), buffer.size()))
        hash.update({buffer.data(), n});
    return Digest(hash.finish());
}

} // namespace image
