#include "app_slices.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/text.h"

#include <algorithm>

namespace builder {
namespace {

constexpr unsigned deepest = 256; // as a layer may be

[[noreturn]] void bad_pattern(std::string_view pattern) {
    throw base::Error(base::ErrorKind::buildpack_failed,
                      "a slice has the path " + base::quoted(pattern) +
                          ", which is no pattern: a [ or \\ has no end");
}

// Bytes of the character at the front: ? and [...] take whole UTF-8 characters.
std::size_t character(std::string_view text) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
    return size;
}

// One element of a pattern: a literal, ?, or a class.
struct Element {
    std::size_t size = 0;    // in the pattern
    std::size_t matched = 0; // bytes of the text; 0: it does not match
};

// The next character of a class, the backslash in front of it left out.
std::string_view class_character(std::string_view& rest, std::string_view pattern) {
    if (!rest.empty() && rest.front() == '\\') rest.remove_prefix(1);
    if (rest.empty()) bad_pattern(pattern);
    const auto found = rest.substr(0, character(rest));
    rest.remove_prefix(found.size());
    return found;
}

Element match_class(std::string_view pattern, std::string_view text) {
    auto rest = pattern.substr(1);
    const bool negated = !rest.empty() && rest.front() == '^';
    if (negated) rest.remove_prefix(1);
    const auto subject = text.substr(0, text.empty() ? 0 : character(text));
    bool found = false;
    for (bool first = true; first || rest.empty() || rest.front() != ']'; first = false) {
        if (rest.empty() || rest.front() == ']' || rest.front() == '-') bad_pattern(pattern);
        const auto low = class_character(rest, pattern);
        auto high = low;
        if (!rest.empty() && rest.front() == '-') {
            rest.remove_prefix(1);
            high = class_character(rest, pattern);
        }
        // UTF-8 sorts as its code points do.
        found = found || (low <= subject && subject <= high);
    }
    return {pattern.size() - rest.size() + 1,
            found != negated && !subject.empty() ? subject.size() : 0};
}

Element match_element(std::string_view pattern, std::string_view text) {
    if (pattern.front() == '[') return match_class(pattern, text);
    if (pattern.front() == '?') return {1, text.empty() ? 0 : character(text)};
    std::size_t size = 1;
    if (pattern.front() == '\\' && ++size > pattern.size()) bad_pattern(pattern);
    return {size, !text.empty() && text.front() == pattern[size - 1] ? std::size_t{1} : 0};
}

// One name against one part of a pattern. The last star alone is tried again: enough, and linear in
// each, whatever a stranger writes.
bool match_part(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size() || p < pattern.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            resume = t;
            continue;
        }
        if (p < pattern.size()) {
            const auto element = match_element(pattern.substr(p), text.substr(t));
            if (element.matched > 0) {
                p += element.size;
                t += element.matched;
                continue;
            }
        }
        if (star == std::string_view::npos || resume >= text.size()) return false;
        resume += character(text.substr(resume));
        p = star;
        t = resume;
    }
    return true;
}

std::vector<std::string_view> parts_of(std::string_view path) {
    std::vector<std::string_view> parts;
    for (std::size_t start = 0; start <= path.size();) {
        const auto end = std::min(path.find('/', start), path.size());
        parts.push_back(path.substr(start, end - start));
        start = end + 1;
    }
    return parts;
}

void check_pattern(std::string_view pattern) {
    for (auto rest = pattern; !rest.empty();)
        rest.remove_prefix(rest.front() == '*' ? 1 : match_element(rest, {}).size);
}

std::string parent_of(const std::string& name) {
    const auto slash = name.rfind('/');
    return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

// Without "./", "a/../" and doubled slashes; relative to the app.
std::string cleaned(const std::string& pattern, const std::string& inside) {
    auto path = std::filesystem::path(pattern).lexically_normal().string();
    if (path.starts_with(inside + "/")) path.erase(0, inside.size() + 1);
    if (path.ends_with('/')) path.pop_back();
    return path;
}

} // namespace

bool matches_glob(std::string_view pattern, std::string_view path) {
    check_pattern(pattern);
    const auto wanted = parts_of(pattern), given = parts_of(path);
    return wanted.size() == given.size() &&
           std::equal(wanted.begin(), wanted.end(), given.begin(), match_part);
}

AppSlices::AppSlices(const std::filesystem::path& app, std::string inside)
    : inside_(std::move(inside)) {
    entries_.emplace("", Entry{});
    list(app, "", 0);
}

void AppSlices::list(const std::filesystem::path& app, const std::string& directory,
                     unsigned depth) {
    if (depth > deepest)
        throw base::Error(base::ErrorKind::invalid_input, "the app is deeper than 256 directories");
    for (const auto& entry : base::list_beneath(app, directory)) {
        const auto name = directory.empty() ? entry.name : directory + "/" + entry.name;
        entries_[directory].children.push_back(name);
        entries_.emplace(name, Entry{});
        if (entry.type == base::EntryType::directory) list(app, name, depth + 1);
    }
}

void AppSlices::take_tree(const std::string& name, Names& names) {
    Entry& entry = entries_.at(name);
    if (entry.taken) return;
    entry.taken = true;
    names.insert(name);
    for (const auto& child : entry.children) take_tree(child, names);
}

// A directory of which everything was taken is taken itself: the rest does not tell it again.
void AppSlices::add_parents(Names& names) {
    std::set<std::string> parents;
    for (const auto& name : names)
        for (std::string above = name; !above.empty();)
            if (above = parent_of(above); !names.contains(above)) parents.insert(above);
    // Names sort before what lies below them: backwards, the deepest come first.
    for (auto it = parents.rbegin(); it != parents.rend(); ++it) {
        Entry& entry = entries_.at(*it);
        entry.taken = std::all_of(entry.children.begin(), entry.children.end(),
                                  [&](const auto& child) { return entries_.at(child).taken; });
    }
    names.insert(parents.begin(), parents.end());
}

std::set<std::string, std::less<>> AppSlices::take(const buildpacks::Slice& slice) {
    Names names;
    for (const auto& written : slice.paths) {
        const auto pattern = cleaned(written, inside_);
        for (const auto& [name, entry] : entries_)
            if (!name.empty() && matches_glob(pattern, name)) take_tree(name, names);
    }
    add_parents(names);
    return names;
}

std::set<std::string, std::less<>> AppSlices::take_rest() {
    Names names;
    for (auto& [name, entry] : entries_)
        if (!entry.taken) {
            entry.taken = true;
            names.insert(name);
        }
    return names;
}

} // namespace builder
