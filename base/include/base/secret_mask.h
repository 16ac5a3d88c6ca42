// Secret values on their way to a log or a record become "***": as they are, and in the forms that
// programs give them by accident: base64 (of any alignment, also URL-safe, also wrapped by
// `base64`), percent-encoded, JSON-escaped, and as a terminal shows their control characters.
// It is no wall: a program that wants to tell a value can always spell it backwards.
#pragma once

#include "base/secret.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// Immutable and cheap to copy; any thread.
class SecretMask {
  public:
    // Shorter values would hide half of every log; they stay readable, and so do a few words that
    // are settings and no secrets ("production", "development"...).
    static constexpr std::size_t shortest = 6;

    SecretMask() = default; // masks nothing
    // Of a value with several lines each line is one more; of a URL with a password the password.
    explicit SecretMask(const std::vector<Secret>& values);

    bool empty() const noexcept { return !patterns_; }
    std::string apply(std::string_view text) const;

    // The same for text that comes in pieces: a value across two of them is found. It holds back
    // what may be the beginning of one, and no more. One thread owns it.
    class Stream {
      public:
        using Sink = std::function<void(std::string_view text)>;
        Stream(const SecretMask& mask, Sink sink);
        void feed(std::string_view text);
        void finish(); // nothing comes after: what was held back leaves

      private:
        void release(std::size_t upto);
        struct Hidden {
            std::uint64_t begin, end;
        };
        std::shared_ptr<const struct SecretPatterns> patterns_;
        Sink sink_;
        std::string held_;
        std::uint64_t begin_ = 0;    // of held_ in the whole text
        std::vector<Hidden> hidden_; // in held_, disjoint, in order
        std::uint32_t state_ = 0;
        bool told_ = false; // the last that left was "***"
    };

  private:
    std::shared_ptr<const struct SecretPatterns> patterns_;
};

} // namespace base
