// Text that came from strangers, on its way to a person's terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace base {

// Cuts a byte stream into lines, hostile streams included: a carriage return ends a line as a
// newline does (progress bars), a line longer than `longest` bytes is cut into several.
class LineSplitter {
  public:
    using Sink = std::function<void(std::string_view line)>; // without the newline
    explicit LineSplitter(Sink sink, std::size_t longest = 1000);
    void feed(std::string_view bytes);
    void finish(); // hands out a last line that had no newline

  private:
    void end_line();
    Sink sink_;
    std::size_t longest_;
    std::string line_;
    bool after_return_ = false;
};

// Control bytes shown as ^X, C1 controls and invalid UTF-8 as \xNN; tabs stay. The escape sequences
// that only set colours (SGR), which programs write for terminals, stay or are taken out.
enum class Colour { keep, drop };
std::string printable(std::string_view line, Colour colour = Colour::drop);

std::string human_bytes(std::uint64_t bytes);          // "36.3 MB"
std::string human_duration(std::int64_t milliseconds); // "340 ms", "2.1 s", "3 m 12 s"
std::string trim(std::string_view text);
std::string random_hex(std::size_t bytes);

// printable() applied to what a person will see as one word or sentence; quotes it.
std::string quoted(std::string_view text);

} // namespace base
