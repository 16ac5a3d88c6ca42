#include "base/text.h"

#include "base/error.h"

#include <array>
#include <cstdio>
#include <sys/random.h>

namespace base {
namespace {

// Length of the valid UTF-8 sequence at the start of `text`; 0 when there is none. Overlong forms,
// surrogates and C1 controls (U+0080..U+009F, which terminals obey) count as invalid.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    if (first == 0xc2 && byte(1) < 0xa0) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) >= 0xa0) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) >= 0x90) return 0;
    return length;
}

// Length of an SGR sequence (ESC [ digits ; m) at the start of `text`, or 0.
std::size_t sgr_length(std::string_view text) {
    if (text.size() < 3 || text[0] != '\x1b' || text[1] != '[') return 0;
    std::size_t i = 2;
    while (i < text.size() && i < 20 && ((text[i] >= '0' && text[i] <= '9') || text[i] == ';')) ++i;
    return i < text.size() && text[i] == 'm' ? i + 1 : 0;
}

} // namespace

LineSplitter::LineSplitter(Sink sink, std::size_t longest)
    : sink_(std::move(sink)), longest_(longest) {}

void LineSplitter::end_line() {
    sink_(line_);
    line_.clear();
}

void LineSplitter::feed(std::string_view bytes) {
    for (const char c : bytes) {
        const bool newline_of_return = c == '\n' && after_return_;
        after_return_ = c == '\r';
        if (newline_of_return) continue;
        if (c == '\n' || c == '\r') {
            end_line();
            continue;
        }
        line_ += c;
        if (line_.size() >= longest_) end_line();
    }
}

void LineSplitter::finish() {
    if (!line_.empty()) end_line();
}

std::string printable(std::string_view line, Colour colour) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string shown;
    shown.reserve(line.size());
    while (!line.empty()) {
        const auto c = static_cast<unsigned char>(line[0]);
        std::size_t taken = 1;
        if (const auto sgr = sgr_length(line)) {
            taken = sgr;
            if (colour == Colour::keep) shown.append(line.substr(0, sgr));
        } else if (c == '\t') {
            shown += '\t';
        } else if (c < 0x20 || c == 0x7f) {
            shown += '^';
            shown += static_cast<char>(c ^ 0x40);
        } else if (const auto length = utf8_length(line)) {
            shown.append(line.substr(0, taken = length));
        } else {
            shown += "\\x";
            shown += hex[c >> 4];
            shown += hex[c & 15];
        }
        line.remove_prefix(taken);
    }
    return shown;
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array units{"B", "KB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

std::string human_duration(std::int64_t milliseconds) {
    if (milliseconds < 1000) return std::to_string(milliseconds) + " ms";
    if (milliseconds < 60'000 && milliseconds % 1000 == 0)
        return std::to_string(milliseconds / 1000) + " s";
    if (milliseconds < 60'000) {
        char text[32];
        std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(milliseconds) / 1000);
        return text;
    }
    const auto seconds = milliseconds / 1000;
    return std::to_string(seconds / 60) + " m " + std::to_string(seconds % 60) + " s";
}

std::string trim(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n\f\v";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(blank) - first + 1));
}

std::string random_hex(std::size_t bytes) {
    static constexpr char hex[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i) {
        unsigned char byte;
        if (::getrandom(&byte, 1, 0) != 1) throw_errno("could not get random bytes");
        text += hex[byte >> 4];
        text += hex[byte & 15];
    }
    return text;
}

std::string quoted(std::string_view text) {
    return '"' + printable(text) + '"';
}

} // namespace base
