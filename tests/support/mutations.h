// Inputs for parsers of strangers' texts: a corpus, changed at random but the same in each run.
// SLIPWAY_FUZZ_RUNS asks for more than the tests' own number. One thread.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

class Mutations {
  public:
    explicit Mutations(std::vector<std::string> corpus) : corpus_(std::move(corpus)) {}

    static int runs(int otherwise) {
        const char* asked = std::getenv("SLIPWAY_FUZZ_RUNS");
        return asked && *asked ? std::atoi(asked) : otherwise;
    }

    // One of the corpus, with up to eight changes.
    std::string next() {
        std::string text = any(corpus_);
        for (auto changes = random(8) + 1; changes > 0; --changes) change(text);
        return text;
    }
    // JSON of another shape three times of four: up to four of its values are others. Else as
    // next().
    std::string next_json() {
        if (random(4) == 0) return next();
        auto value = nlohmann::json::parse(any(corpus_));
        for (auto changes = random(4) + 1; changes > 0; --changes) change(value);
        return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
    std::size_t random(std::size_t below) {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return below == 0 ? 0 : static_cast<std::size_t>(state_ % below);
    }

  private:
    template <class T>
    const T& any(const std::vector<T>& all) {
        return all[random(all.size())];
    }
    // What parsers trip over.
    const std::string& word() {
        static const std::vector<std::string> words{"null",
                                                    "true",
                                                    "[]",
                                                    "{}",
                                                    "[",
                                                    "{",
                                                    "\"",
                                                    "\\",
                                                    ",",
                                                    "=",
                                                    ";",
                                                    "<",
                                                    ">",
                                                    "-1",
                                                    "0",
                                                    "1e999",
                                                    "9223372036854775808",
                                                    "-9223372036854775809",
                                                    "0.5",
                                                    "\\u0000",
                                                    "\\ud800",
                                                    std::string(1, '\0'),
                                                    "\xff",
                                                    "\r\n",
                                                    " ",
                                                    "\t",
                                                    std::string(300, '['),
                                                    std::string(3000, 'a'),
                                                    "sha256:",
                                                    "application/vnd.oci.image.index.v1+json"};
        return any(words);
    }
    void change(std::string& text) {
        const auto at = random(text.size() + 1), length = random(16);
        switch (random(7)) {
        case 0:
            if (at < text.size()) text[at] = static_cast<char>(random(256));
            break;
        case 1:
            text.erase(at, length);
            break;
        case 2:
            text.insert(at, word());
            break;
        case 3:
            text.insert(at, text.substr(random(text.size() + 1), length));
            break;
        case 4:
            text.resize(at);
            break;
        case 5: // a whole value of JSON, or of a header, becomes another
            if (const auto start = text.find(':', at); start != text.npos) {
                const auto end = std::min(text.find_first_of(",}]", start), text.size());
                text.replace(start + 1, end - start - 1, word());
            }
            break;
        default:
            const std::string& other = any(corpus_);
            text = text.substr(0, at) + other.substr(random(other.size() + 1));
        }
    }

    void change(nlohmann::json& value) {
        if (value.is_structured() && !value.empty() && random(5) != 0) {
            auto child = value.begin();
            std::advance(child, static_cast<std::ptrdiff_t>(random(value.size())));
            return change(*child);
        }
        static const std::vector<nlohmann::json> others{
            nullptr,
            true,
            0,
            -1,
            1ull << 63,
            1e300,
            "",
            "text",
            "\n\0",
            std::string(3000, 'a'),
            nlohmann::json::array(),
            nlohmann::json::object(),
            {1, "a", nullptr},
            {{"os", 1}},
            {{"digest", "sha256:x"}},
            nlohmann::json::array({nlohmann::json::array()})};
        value = any(others);
    }

    std::vector<std::string> corpus_;
    std::uint64_t state_ = 0x9e3779b97f4a7c15;
};
