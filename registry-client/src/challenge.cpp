#include "challenge.h"

#include <algorithm>

namespace registry {
namespace {

constexpr std::size_t longest = 8192; // a header that is longer is cut: it is a stranger's

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text.substr(0, longest)) {}

    bool at_end() const { return at_ >= text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[at_]; }
    void advance() { ++at_; }
    void skip(std::string_view what) {
        while (!at_end() && what.find(text_[at_]) != what.npos) ++at_;
    }
    std::string word() {
        const auto start = at_;
        while (!at_end() && std::string_view(" \t,=\"").find(text_[at_]) == std::string_view::npos)
            ++at_;
        return std::string(text_.substr(start, at_ - start));
    }
    std::string value() {
        if (peek() != '"') return word();
        advance();
        std::string value;
        while (!at_end() && peek() != '"') {
            if (peek() == '\\') advance();
            if (!at_end()) value += peek();
            advance();
        }
        advance();
        return value;
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

} // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
    std::vector<Challenge> challenges;
    Reader reader(header);
    while (true) {
        reader.skip(" \t,");
        if (reader.at_end()) return challenges;
        std::string word = lower(reader.word());
        reader.skip(" \t");
        if (reader.peek() == '=') { // a parameter; one without a scheme before it is dropped
            reader.advance();
            reader.skip(" \t");
            std::string value = reader.value();
            if (!challenges.empty()) challenges.back().parameters.emplace(word, std::move(value));
        } else if (!word.empty()) {
            challenges.push_back({std::move(word), {}});
        } else {
            reader.advance(); // a stray quote
        }
    }
}

} // namespace registry
