#include "base/secret_mask.h"

#include "base/crypto.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>

namespace base {

// The automaton of Aho and Corasick: one step for each byte of the text, however many patterns.
// States near the root, where the text mostly is, have a table of all bytes; the others, one chain
// for each pattern, their children alone.
struct SecretPatterns {
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::size_t many_children = 4;
    struct State {
        std::uint32_t first_child = none;
        std::uint32_t next_sibling = none;
        std::uint32_t fallback = 0; // the longest other beginning of a pattern that ends here
        std::uint32_t depth = 0;
        std::uint32_t found = 0; // length of the longest pattern that ends here
        std::uint32_t table = none;
        unsigned char byte = 0; // that leads here
    };
    std::vector<State> states{1};
    std::vector<std::array<std::uint32_t, 256>> tables;

    void add(std::string_view pattern);
    void finish();
    std::uint32_t next(std::uint32_t state, unsigned char byte) const noexcept;

  private:
    void add_table(std::uint32_t state);
    std::uint32_t child(std::uint32_t state, unsigned char byte) const noexcept;
};

std::uint32_t SecretPatterns::child(std::uint32_t state, unsigned char byte) const noexcept {
    auto target = states[state].first_child;
    while (target != none && states[target].byte != byte) target = states[target].next_sibling;
    return target;
}

void SecretPatterns::add(std::string_view pattern) {
    std::uint32_t state = 0;
    for (const char c : pattern) {
        const auto byte = static_cast<unsigned char>(c);
        auto target = child(state, byte);
        if (target == none) {
            target = static_cast<std::uint32_t>(states.size());
            states.push_back({.next_sibling = states[state].first_child,
                              .depth = states[state].depth + 1,
                              .byte = byte});
            states[state].first_child = target;
        }
        state = target;
    }
    states[state].found = states[state].depth;
}

std::uint32_t SecretPatterns::next(std::uint32_t state, unsigned char byte) const noexcept {
    for (;;) {
        if (states[state].table != none) return tables[states[state].table][byte];
        if (const auto target = child(state, byte); target != none) return target;
        state = states[state].fallback; // ends: the root has a table
    }
}

void SecretPatterns::finish() {
    std::deque<std::uint32_t> order{0};
    while (!order.empty()) {
        const auto state = order.front();
        order.pop_front();
        std::size_t children = 0;
        for (auto i = states[state].first_child; i != none; i = states[i].next_sibling) {
            auto& target = states[i];
            target.fallback = state == 0 ? 0 : next(states[state].fallback, target.byte);
            target.found = std::max(target.found, states[target.fallback].found);
            order.push_back(i);
            ++children;
        }
        // What is nearer to the root has its table already, so that `next` is right for it.
        if (state == 0 || children > many_children) add_table(state);
    }
}

void SecretPatterns::add_table(std::uint32_t state) {
    std::array<std::uint32_t, 256> table{};
    for (unsigned byte = 0; byte < 256 && state != 0; ++byte)
        table[byte] = next(states[state].fallback, static_cast<unsigned char>(byte));
    for (auto i = states[state].first_child; i != none; i = states[i].next_sibling)
        table[states[i].byte] = i;
    states[state].table = static_cast<std::uint32_t>(tables.size());
    tables.push_back(table);
}

namespace {

constexpr std::string_view shown_instead = "***";
constexpr std::array wrapped_at{std::size_t{76}, std::size_t{64}}; // base64(1), PEM

// Values that people set as variables and that are nobody's secret. Masked, they would make a log
// unreadable and hide nothing.
constexpr std::array<std::string_view, 14> settings{
    "production", "development", "staging", "testing", "default",   "enabled",   "disabled",
    "verbose",    "warning",     "notice",  "always",  "localhost", "127.0.0.1", "0.0.0.0"};

std::string percent_encoded(std::string_view value, std::string_view kept, const char* digits) {
    std::string text;
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                           (byte >= 'A' && byte <= 'Z') || kept.find(c) != std::string_view::npos;
        if (plain)
            text += c;
        else
            (text += '%') += {digits[byte >> 4], digits[byte & 15]};
    }
    return text;
}

// What stands between the quotes. Some programs escape the slash, some all that is not ASCII.
std::string json_escaped(std::string_view value, bool slashes) {
    std::string text;
    for (const char c : value) {
        static constexpr std::string_view named = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
        const auto place = named.find(c);
        if (place != std::string_view::npos)
            (text += '\\') += letters[place];
        else if (c == '/' && slashes)
            text += "\\/";
        else if (static_cast<unsigned char>(c) < 0x20) {
            static constexpr char digits[] = "0123456789abcdef";
            (text += "\\u00") += {digits[c >> 4], digits[c & 15]};
        } else
            text += c;
    }
    return text;
}

class Forms {
  public:
    const std::set<std::string>& all() const { return forms_; }

    void add_value(std::string_view value) {
        // A file's last newline is seldom there when its content is shown.
        while (!value.empty() && (value.back() == '\n' || value.back() == '\r'))
            value.remove_suffix(1);
        if (value.size() < SecretMask::shortest ||
            std::find(settings.begin(), settings.end(), value) != settings.end())
            return;
        add_encoded(value);
        add_password(value);
        if (value.find('\n') == std::string_view::npos) return;
        while (!value.empty()) {
            const auto end = std::min(value.find('\n'), value.size());
            const auto line = trim(value.substr(0, end));
            // "-----BEGIN PRIVATE KEY-----" is no secret, and would mask others' headings.
            if (!line.starts_with("-----") && line.size() >= SecretMask::shortest)
                add_encoded(line);
            value.remove_prefix(std::min(end + 1, value.size()));
        }
    }

  private:
    void add(std::string form) {
        if (form.size() >= SecretMask::shortest) forms_.insert(std::move(form));
    }

    void add_encoded(std::string_view value) {
        add(std::string(value));
        add(printable(value, Colour::keep));
        add(json_escaped(value, false));
        add(json_escaped(value, true));
        for (const auto* digits : {"0123456789ABCDEF", "0123456789abcdef"})
            for (const std::string_view kept : {"-_.~", "-_.~/", "-_.!~*'()", "-_.*"})
                add(percent_encoded(value, kept, digits));
        auto with_plus = percent_encoded(value, "-_.* ", "0123456789ABCDEF"); // of HTML forms
        std::replace(with_plus.begin(), with_plus.end(), ' ', '+');
        add(std::move(with_plus));
        add_base64(value);
    }

    // Inside of a longer text (user:VALUE of Basic authentication) the value starts at any of the
    // three places in a group; the letters at its ends also hold bits of its neighbours.
    void add_base64(std::string_view value) {
        for (std::size_t before = 0; before < 3; ++before) {
            const auto whole = std::string(before, '\0') + std::string(value);
            const auto skipped = before == 0 ? 0 : before + 1;
            const auto bits = whole.size() * 8;
            const auto text = base64_encode(whole).substr(skipped, bits / 6 - skipped);
            add(text);
            add(url_safe(text));
        }
        const auto alone = base64_encode(value);
        add(alone);
        add(base64url_encode(value));
        for (const auto width : wrapped_at)
            for (std::size_t i = 0; alone.size() > width && i < alone.size(); i += width)
                add(alone.substr(i, width));
    }

    static std::string url_safe(std::string text) {
        std::replace(text.begin(), text.end(), '+', '-');
        std::replace(text.begin(), text.end(), '/', '_');
        return text;
    }

    // scheme://user:PASSWORD@host
    void add_password(std::string_view value) {
        const auto scheme = value.find("://");
        if (scheme == std::string_view::npos || value.find('\n') != std::string_view::npos) return;
        auto authority = value.substr(scheme + 3);
        authority = authority.substr(0, authority.find_first_of("/?#"));
        const auto at = authority.rfind('@');
        if (at == std::string_view::npos) return;
        const auto user = authority.substr(0, at);
        const auto colon = user.find(':');
        // Forges take a token in the user's place.
        const auto password = colon == std::string_view::npos ? user : user.substr(colon + 1);
        if (password.size() >= SecretMask::shortest) add_encoded(password);
    }

    std::set<std::string> forms_;
};

} // namespace

SecretMask::SecretMask(const std::vector<Secret>& values) {
    Forms forms;
    for (const auto& value : values) forms.add_value(value.reveal());
    if (forms.all().empty()) return;
    auto patterns = std::make_shared<SecretPatterns>();
    for (const auto& form : forms.all()) patterns->add(form);
    patterns->finish();
    patterns_ = std::move(patterns);
}

std::string SecretMask::apply(std::string_view text) const {
    if (!patterns_) return std::string(text);
    std::string masked;
    Stream stream(*this, [&](std::string_view piece) { masked += piece; });
    stream.feed(text);
    stream.finish();
    return masked;
}

SecretMask::Stream::Stream(const SecretMask& mask, Sink sink)
    : patterns_(mask.patterns_), sink_(std::move(sink)) {}

void SecretMask::Stream::feed(std::string_view text) {
    if (!patterns_) return sink_(text);
    std::uint64_t place = begin_ + held_.size();
    held_ += text;
    for (const char c : text) {
        state_ = patterns_->next(state_, static_cast<unsigned char>(c));
        ++place;
        const auto length = patterns_->states[state_].found;
        if (length == 0) continue;
        Hidden found{place - length, place};
        // Values that overlap or touch are hidden as one.
        while (!hidden_.empty() && hidden_.back().end >= found.begin) {
            found.begin = std::min(found.begin, hidden_.back().begin);
            hidden_.pop_back();
        }
        hidden_.push_back(found);
    }
    release(held_.size() - patterns_->states[state_].depth);
}

void SecretMask::Stream::finish() {
    release(held_.size());
    state_ = 0;
    told_ = false;
}

// The first `upto` bytes of what is held belong to no value that is still to come.
void SecretMask::Stream::release(std::size_t upto) {
    const auto end = begin_ + upto;
    std::string ready;
    std::uint64_t place = begin_;
    std::size_t done = 0;
    for (auto& hidden : hidden_) {
        if (hidden.begin >= end) break;
        if (hidden.begin > place) told_ = false;
        ready.append(held_, place - begin_, hidden.begin - place);
        if (!told_) ready += shown_instead;
        told_ = true;
        place = std::min(hidden.end, end);
        if (hidden.end > end) {
            hidden.begin = end;
            break;
        }
        ++done;
    }
    hidden_.erase(hidden_.begin(), hidden_.begin() + static_cast<std::ptrdiff_t>(done));
    if (place < end) {
        told_ = false;
        ready.append(held_, place - begin_, end - place);
    }
    held_.erase(0, upto);
    begin_ = end;
    if (!ready.empty()) sink_(ready);
}

} // namespace base
