#include "config_values.h"

#include "base/error.h"
#include "base/text.h"

#include <array>
#include <charconv>
#include <limits>
#include <sstream>

namespace server {
namespace {

[[noreturn]] void expected(std::string_view what, std::string_view text) {
    throw base::Error(base::ErrorKind::invalid_input,
                      "expected " + std::string(what) + ", got " + base::quoted(text));
}

template <class T>
bool read_whole(std::string_view text, T& value) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() && end == text.data() + text.size();
}

struct Unit {
    char letter;
    std::uint64_t factor;
};
constexpr std::array sizes{Unit{'T', 1ull << 40}, Unit{'G', 1ull << 30}, Unit{'M', 1ull << 20},
                           Unit{'K', 1ull << 10}};
constexpr std::array times{Unit{'h', 3600}, Unit{'m', 60}, Unit{'s', 1}};

template <class Units>
std::uint64_t parse_with_unit(std::string_view text, const Units& units, std::string_view what) {
    std::uint64_t factor = 1, value = 0;
    std::string_view digits = text;
    for (const auto& unit : units)
        if (!text.empty() && text.back() == unit.letter) {
            factor = unit.factor;
            digits = text.substr(0, text.size() - 1);
        }
    if (!read_whole(digits, value) || value > std::numeric_limits<std::int64_t>::max() / factor)
        expected(what, text);
    return value * factor;
}

template <class Units>
std::string show_with_unit(std::uint64_t value, const Units& units) {
    for (const auto& unit : units)
        if (value != 0 && value % unit.factor == 0)
            return std::to_string(value / unit.factor) + unit.letter;
    return std::to_string(value);
}

} // namespace

std::uint64_t parse_number(std::string_view text, std::uint64_t least) {
    std::uint64_t value = 0;
    if (!read_whole(text, value) || value < least || value > std::numeric_limits<int>::max())
        expected("a whole number of at least " + std::to_string(least), text);
    return value;
}

double parse_real(std::string_view text) {
    double value = 0;
    if (!read_whole(text, value) || !(value >= 0) || value > 4096) expected("a number", text);
    return value;
}

std::uint64_t parse_size(std::string_view text) {
    return parse_with_unit(text, sizes, "a size such as 512M or 4G");
}
std::string show_size(std::uint64_t bytes) {
    return show_with_unit(bytes, sizes);
}

std::chrono::seconds parse_duration(std::string_view text) {
    constexpr std::string_view what = "a duration such as 30s, 10m or 2h, at most a year";
    const auto seconds = parse_with_unit(text, times, what);
    if (seconds > 366ull * 24 * 3600) expected(what, text); // clocks count nanoseconds
    return std::chrono::seconds(seconds);
}
std::string show_duration(std::chrono::seconds duration) {
    return show_with_unit(static_cast<std::uint64_t>(duration.count()), times);
}

std::vector<std::string> parse_list(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        if (auto word = base::trim(text.substr(begin, end - begin)); !word.empty())
            words.push_back(std::move(word));
        begin = end + 1;
    }
    return words;
}

std::map<std::string, std::string> parse_table(std::string_view text) {
    std::map<std::string, std::string> table;
    std::istringstream words{std::string(text)};
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == std::string::npos || equals == 0) expected("NAME=VALUE", word);
        table[word.substr(0, equals)] = word.substr(equals + 1);
    }
    return table;
}

std::string one_of(std::string_view text, const std::vector<std::string>& words) {
    for (const auto& word : words)
        if (word == text) return word;
    expected(join(words, " or "), text);
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
    std::string text;
    for (const auto& word : words) (text += text.empty() ? "" : between) += word;
    return text;
}

std::filesystem::path absolute_path(std::string_view text, const std::filesystem::path& base) {
    if (text.empty()) return {};
    return std::filesystem::absolute(base / std::filesystem::path(text)).lexically_normal();
}

std::string Address::render() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool is_loopback(const std::string& host) {
    return host.starts_with("127.") || host == "::1" || host == "localhost";
}

bool is_everywhere(const std::string& host) {
    return host == "0.0.0.0" || host == "::";
}

Address parse_address(std::string_view text) {
    const auto colon = text.rfind(':');
    Address address;
    if (colon == std::string_view::npos || !read_whole(text.substr(colon + 1), address.port))
        expected("an address and a port such as 127.0.0.1:2222", text);
    auto host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.empty() || host.find(':') != std::string_view::npos)
        expected("an address and a port such as 127.0.0.1:2222 or [::1]:2222", text);
    address.host = host;
    return address;
}

std::string parse_base_url(std::string_view text) {
    while (!text.empty() && text.back() == '/') text.remove_suffix(1);
    const bool web = text.starts_with("http://") || text.starts_with("https://");
    const bool plain =
        base::printable(text) == text && text.find_first_of(" \"<>?#@\\") == std::string_view::npos;
    if (!text.empty() && (!web || !plain || text.ends_with(':')))
        expected("a URL such as https://builds.example.com", text);
    return std::string(text);
}

} // namespace server
