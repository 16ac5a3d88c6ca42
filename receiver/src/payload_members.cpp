#include "payload_members.h"

#include "base/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

namespace receiver {

using base::json::Value;

namespace {

constexpr int deepest = 64;                      // as base::json takes
constexpr std::size_t longest_plain_number = 18; // digits that fit 64 bits

// Most of a payload is text of which nothing need be decoded.
constexpr auto plain_letters = [] {
    std::array<bool, 256> plain{};
    for (int c = 0x20; c < 0x80; ++c) plain[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
    return plain;
}();

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

struct PayloadMembers::Node {
    std::map<std::string, Node, std::less<>> members;
};

// Walks over the text once and keeps what is wanted. It knows JSON's frame, plain texts and whole
// numbers; the rest of the grammar (escapes, UTF-8, fractions) is base::json's to judge, value by
// value.
class PayloadMembers::Reader {
  public:
    Reader(std::string_view text, std::string_view what) : text_(text), what_(what) {}

    Value read(const Node& root) {
        Value top;
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3; // UTF-8 says so of itself
        value(&root, &top);
        skip_space();
        if (at_ != text_.size()) fail();
        return top;
    }

  private:
    [[noreturn]] void fail() const {
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string(what_) + " is not valid JSON");
    }

    void skip_space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                      text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
    }
    char next() { // not taken yet; 0 at the end
        skip_space();
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        if (next() != c) return false;
        ++at_;
        return true;
    }

    // `into` is null when nobody asked for the value; `wanted` says what of it is kept.
    void value(const Node* wanted, Value* into) {
        switch (next()) {
        case '{':
            return object(wanted, into);
        case '[':
            return array(wanted, into);
        case '"': {
            const auto token = string();
            if (into) *into = decode(token);
            return;
        }
        default:
            return literal(into);
        }
    }

    void object(const Node* wanted, Value* into) {
        enter();
        if (into) *into = Value::object();
        for (bool first = true; !take('}'); first = false) {
            if (!first && !take(',')) fail();
            if (next() != '"') fail();
            const auto name = string();
            if (!take(':')) fail();
            const Node* member = nullptr;
            if (into)
                if (const auto it = wanted->members.find(decode(name)); it != wanted->members.end())
                    value(member = &it->second, &(*into)[it->first]); // of equals the last counts
            if (!member) value(nullptr, nullptr);
        }
        --depth_;
    }

    void array(const Node* wanted, Value* into) {
        enter();
        if (into) *into = Value::array();
        for (bool first = true; !take(']'); first = false) {
            if (!first && !take(',')) fail();
            Value element;
            value(wanted, into ? &element : nullptr);
            if (into) into->push_back(std::move(element));
        }
        --depth_;
    }

    void enter() {
        if (++depth_ > deepest) fail();
        ++at_;
    }

    // With its quotes.
    struct Token {
        std::string_view text;
        bool plain;
    };
    Token string() {
        const auto begin = at_++;
        bool plain = true;
        for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (plain_letters[static_cast<unsigned char>(text_[at_])]) continue;
            plain = false;
            if (text_[at_] == '\\') ++at_;
        }
        if (at_ >= text_.size()) fail();
        const Token token{text_.substr(begin, ++at_ - begin), plain};
        if (!plain) judge(token.text);
        return token;
    }
    std::string decode(const Token& token) const {
        if (token.plain) return std::string(token.text.substr(1, token.text.size() - 2));
        return judge(token.text).get<std::string>();
    }

    // true, false, null, or a number.
    void literal(Value* into) {
        const auto begin = at_;
        while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != ']' &&
               text_[at_] > ' ')
            ++at_;
        const auto token = text_.substr(begin, at_ - begin);
        const bool known = token == "null" || token == "true" || token == "false" ||
                           (token.size() <= longest_plain_number && !token.empty() &&
                            (token[0] != '0' || token.size() == 1) &&
                            std::all_of(token.begin(), token.end(), is_digit));
        if (into || !known) {
            auto judged = judge(token);
            if (into) *into = std::move(judged);
        }
    }

    Value judge(std::string_view token) const { return base::json::parse(token, what_); }

    const std::string_view text_, what_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

PayloadMembers::PayloadMembers(std::initializer_list<std::string_view> paths)
    : root_(std::make_unique<Node>()) {
    for (auto path : paths) {
        auto* node = root_.get();
        while (!path.empty()) {
            const auto name = path.substr(0, path.find('.'));
            node = &node->members.try_emplace(std::string(name)).first->second;
            path.remove_prefix(std::min(path.size(), name.size() + 1));
        }
    }
}

PayloadMembers::~PayloadMembers() = default;

Value PayloadMembers::read(std::string_view json, std::string_view what) const {
    return Reader(json, what).read(*root_);
}

} // namespace receiver
