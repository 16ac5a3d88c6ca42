// Content digests (OCI image-spec descriptor.md#digests). A Digest is always valid: parse is the
// only way in, render its inverse. Only sha256 is accepted.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace image {

class Digest {
  public:
    // "sha256:<64 lower-case hex>"; throws Error{invalid_input}.
    static Digest parse(std::string_view text);
    static Digest of(std::string_view bytes);

    std::string render() const; // "sha256:..."
    std::string hex() const;    // without the algorithm: a safe file name
    auto operator<=>(const Digest&) const = default;

  private:
    friend class Sha256;
    std::array<unsigned char, 32> bytes_{};
};

// A running hash (OpenSSL, the CPU's SHA instructions). One thread.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    void update(std::string_view bytes);
    Digest finish(); // once

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

Digest digest_of_file(const std::filesystem::path& path);

} // namespace image
