// Content digests (OCI image-spec descriptor.md#digests). A Digest is always valid: it is parsed or
// comes out of a hash; render is parse's inverse. Only sha256 is accepted.
#pragma once

#include "base/sha256.h"

#include <compare>
#include <filesystem>
#include <string>
#include <string_view>

namespace image {

class Digest {
  public:
    Digest() = default; // all zeros: of nothing
    explicit Digest(const base::Sha256::Digest& hash) : bytes_(hash) {}
    // "sha256:<64 lower-case hex>"; throws Error{invalid_input}.
    static Digest parse(std::string_view text);
    static Digest of(std::string_view bytes);

    std::string render() const; // "sha256:..."
    std::string hex() const;    // without the algorithm: a safe file name
    auto operator<=>(const Digest&) const = default;

  private:
    base::Sha256::Digest bytes_{};
};

Digest digest_of_file(const std::filesystem::path& path);

} // namespace image
