#include "headers.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace registry {
namespace {

bool equals(std::string_view a, std::string_view lower) {
    return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
        return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y;
    });
}

// Up to `end`, or all of it; `text` goes on behind.
std::string_view take_until(std::string_view& text, std::string_view end) {
    const auto at = std::min(text.find_first_of(end), text.size());
    const auto taken = text.substr(0, at);
    text.remove_prefix(at);
    return taken;
}

// A parameter's value, in quotes or not. A quote may hold what ends a parameter elsewhere.
std::string take_value(std::string_view& text) {
    if (!text.starts_with('"')) return base::trim(take_until(text, ";,"));
    text.remove_prefix(1);
    std::string value;
    while (!text.empty() && text.front() != '"') {
        if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
        value += text.front();
        text.remove_prefix(1);
    }
    if (!text.empty()) text.remove_prefix(1);
    return value;
}

// `; rel="prev next"; title="x"`, up to the comma before the next link.
bool take_is_next(std::string_view& text) {
    bool next = false;
    while (!text.empty() && text.front() != ',') {
        text.remove_prefix(1); // the semicolon, or what should be one
        const auto name = base::trim(take_until(text, "=;,"));
        if (!text.starts_with('=')) continue;
        text.remove_prefix(1);
        text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
        const std::string value = take_value(text);
        if (!equals(name, "rel")) continue;
        std::string_view relations = value;
        while (!relations.empty()) {
            next = next || equals(take_until(relations, " "), "next");
            relations.remove_prefix(std::min<std::size_t>(1, relations.size()));
        }
    }
    return next;
}

} // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::string> next_link(std::string_view link) {
    while (!link.empty()) {
        take_until(link, "<");
        if (link.empty()) break;
        link.remove_prefix(1);
        const std::string address(take_until(link, ">"));
        if (link.empty()) break;
        link.remove_prefix(1);
        if (take_is_next(link)) return address;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> received_bytes(std::string_view range) {
    if (range.starts_with("bytes=")) range.remove_prefix(6);
    const auto dash = range.find('-');
    if (dash == range.npos || range.substr(0, dash) != "0") return std::nullopt;
    const auto last = parse_number(range.substr(dash + 1));
    if (!last || *last == UINT64_MAX) return std::nullopt;
    return *last == 0 ? 0 : *last + 1;
}

} // namespace registry
