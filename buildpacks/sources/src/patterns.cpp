#include "patterns.h"

#include <algorithm>
#include <cctype>

namespace sources {
namespace {

// Trailing blanks go, unless a backslash keeps one.
std::string_view without_trailing_blanks(std::string_view line) {
    while (line.ends_with('\r')) line.remove_suffix(1);
    while (line.ends_with(' ') && !line.ends_with("\\ ")) line.remove_suffix(1);
    return line;
}

bool (*class_of(std::string_view name))(int) {
    static constexpr struct {
        std::string_view name;
        bool (*holds)(int);
    } classes[] = {
        {"alnum", [](int c) { return std::isalnum(c) != 0; }},
        {"alpha", [](int c) { return std::isalpha(c) != 0; }},
        {"blank", [](int c) { return c == ' ' || c == '\t'; }},
        {"cntrl", [](int c) { return std::iscntrl(c) != 0; }},
        {"digit", [](int c) { return std::isdigit(c) != 0; }},
        {"graph", [](int c) { return std::isgraph(c) != 0; }},
        {"lower", [](int c) { return std::islower(c) != 0; }},
        {"print", [](int c) { return std::isprint(c) != 0; }},
        {"punct", [](int c) { return std::ispunct(c) != 0; }},
        {"space", [](int c) { return std::isspace(c) != 0; }},
        {"upper", [](int c) { return std::isupper(c) != 0; }},
        {"xdigit", [](int c) { return std::isxdigit(c) != 0; }},
    };
    for (const auto& one : classes)
        if (one.name == name) return one.holds;
    return nullptr;
}

// "[:alpha:]" inside a set; false when there is none at `at`.
bool read_class(std::string_view text, std::size_t& at, std::bitset<256>& set) {
    if (!text.substr(at).starts_with("[:")) return false;
    const auto end = text.find(":]", at + 2);
    if (end == text.npos) return false;
    const auto holds = class_of(text.substr(at + 2, end - at - 2));
    if (!holds) return false;
    for (int c = 0; c < 256; ++c)
        if (holds(c)) set.set(static_cast<std::size_t>(c));
    at = end + 2;
    return true;
}

unsigned char read_byte(std::string_view text, std::size_t& at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    return static_cast<unsigned char>(text[at++]);
}

} // namespace

Patterns::Patterns(const std::vector<std::string>& lines) {
    for (const auto& line : lines) {
        const auto text = without_trailing_blanks(line);
        if (!text.empty() && text.front() != '#') patterns_.push_back(compile(text));
    }
}

// `at` stands behind the opening bracket. A set that does not end is a bracket.
Patterns::Token Patterns::read_set(std::string_view text, std::size_t& at) {
    const auto began = at;
    Token token{Token::Kind::set};
    const bool negated = at < text.size() && (text[at] == '!' || text[at] == '^');
    if (negated) ++at;
    for (bool first = true; at < text.size() && (first || text[at] != ']'); first = false) {
        if (read_class(text, at, token.set)) continue;
        const auto low = read_byte(text, at);
        auto high = low;
        if (at + 1 < text.size() && text[at] == '-' && text[at + 1] != ']')
            high = read_byte(text, ++at);
        for (unsigned c = low; c <= high; ++c) token.set.set(c);
    }
    if (at >= text.size()) {
        at = began;
        return {Token::Kind::byte, '['};
    }
    ++at;
    if (negated) token.set.flip();
    token.set.reset('/');
    return token;
}

Patterns::Pattern Patterns::compile(std::string_view text) {
    Pattern pattern;
    if (text.starts_with('!')) {
        pattern.negated = true;
        text.remove_prefix(1);
    }
    if (text.ends_with('/')) {
        pattern.only_directories = true;
        while (text.ends_with('/')) text.remove_suffix(1);
    }
    // Without a slash inside it may stand at any depth.
    if (text.find('/') == text.npos) pattern.tokens.push_back({Token::Kind::folders});
    if (text.starts_with('/')) text.remove_prefix(1);
    auto& tokens = pattern.tokens;
    for (std::size_t at = 0; at < text.size();) {
        const auto rest = text.substr(at);
        const bool at_start = at == 0 || text[at - 1] == '/';
        if (at_start && rest.starts_with("**/")) {
            tokens.push_back({Token::Kind::folders});
            at += 3;
        } else if (at_start && at > 0 && rest == "**") {
            tokens.push_back({Token::Kind::everything});
            at += 2;
        } else if (rest.front() == '*') {
            while (at < text.size() && text[at] == '*') ++at;
            tokens.push_back({Token::Kind::some});
        } else if (rest.front() == '?') {
            tokens.push_back({Token::Kind::one});
            ++at;
        } else if (rest.front() == '[') {
            tokens.push_back(read_set(text, ++at));
        } else {
            tokens.push_back({Token::Kind::byte, static_cast<char>(read_byte(text, at))});
        }
    }
    return pattern;
}

// All ways through the pattern at once: which of its places have been reached so far.
bool Patterns::matches(const Pattern& pattern, std::string_view path) {
    using Kind = Token::Kind;
    const auto& tokens = pattern.tokens;
    std::vector<char> here(tokens.size() + 1), next(tokens.size() + 1);
    // Inside of a folder's name, and so not at a place behind a slash: of Kind::folders alone.
    std::vector<char> inside(tokens.size() + 1), next_inside(tokens.size() + 1);
    here[0] = 1;
    const auto skip_empty = [&](std::vector<char>& places) {
        for (std::size_t i = 0; i < tokens.size(); ++i)
            if (places[i] && (tokens[i].kind == Kind::some || tokens[i].kind == Kind::folders))
                places[i + 1] = 1;
    };
    skip_empty(here);
    for (const char c : path) {
        std::fill(next.begin(), next.end(), 0);
        std::fill(next_inside.begin(), next_inside.end(), 0);
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const auto& token = tokens[i];
            if (token.kind == Kind::folders && (here[i] || inside[i]))
                (c == '/' ? next : next_inside)[i] = 1;
            if (!here[i]) continue;
            if (token.kind == Kind::byte && token.byte == c) next[i + 1] = 1;
            if (token.kind == Kind::one && c != '/') next[i + 1] = 1;
            if (token.kind == Kind::set && token.set[static_cast<unsigned char>(c)])
                next[i + 1] = 1;
            if (token.kind == Kind::some && c != '/') next[i] = 1;
            if (token.kind == Kind::everything) next[i] = next[i + 1] = 1;
        }
        skip_empty(next);
        std::swap(here, next);
        std::swap(inside, next_inside);
    }
    return here[tokens.size()] != 0;
}

bool Patterns::matches(std::string_view path, PathType type) const {
    for (auto pattern = patterns_.rbegin(); pattern != patterns_.rend(); ++pattern) {
        if (pattern->only_directories && type != PathType::directory) continue;
        if (matches(*pattern, path)) return !pattern->negated;
    }
    return false;
}

} // namespace sources
