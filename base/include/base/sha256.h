// A running SHA-256 (OpenSSL, the CPU's SHA instructions), for bytes that are not in memory as a
// whole; crypto.h has the one for those that are. One thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace base {

class Sha256 {
  public:
    using Digest = std::array<unsigned char, 32>;

    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    void update(std::string_view bytes);
    Digest finish(); // once

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

std::string to_hex(const Sha256::Digest& digest); // 64 lower-case digits

} // namespace base
