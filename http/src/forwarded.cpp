#include "http/forwarded.h"

#include "http/server.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <optional>

namespace http {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

constexpr unsigned mapped_bits = 96;

// IPv4 is mapped into IPv6: one comparison serves both.
std::optional<Bytes> parse_address(std::string_view text) {
    const std::string address(text);
    Bytes bytes{};
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return bytes;
    bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (::inet_pton(AF_INET, address.c_str(), bytes.data() + 12) == 1) return bytes;
    return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80", "2001:db8::1".
std::optional<std::string> address_of(std::string_view node) {
    if (node.starts_with('[')) {
        const auto end = node.find(']');
        if (end == node.npos) return std::nullopt;
        node = node.substr(1, end - 1);
    } else if (std::count(node.begin(), node.end(), ':') == 1) {
        node = node.substr(0, node.find(':'));
    }
    if (!parse_address(node)) return std::nullopt;
    return std::string(node);
}

// Splits at `mark` where it is not within quotes.
std::vector<std::string_view> split(std::string_view text, char mark) {
    std::vector<std::string_view> parts;
    bool quoted = false;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (text[i] == mark && !quoted) {
            parts.push_back(text.substr(begin, i - begin));
            begin = i + 1;
        }
    }
    parts.push_back(text.substr(begin));
    return parts;
}

// The node of one element of Forwarded: `for="[2001:db8::1]:80";proto=https`. An address needs no
// escape within its quotes.
std::string_view node_of(std::string_view element) {
    for (auto pair : split(element, ';')) {
        pair = trimmed(pair);
        const auto name = pair.substr(0, pair.find('='));
        const bool is_for = name.size() == 3 && (name[0] | 32) == 'f' && (name[1] | 32) == 'o' &&
                            (name[2] | 32) == 'r';
        if (!is_for || name.size() == pair.size()) continue;
        auto value = trimmed(pair.substr(4));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        return value;
    }
    return {};
}

} // namespace

AddressRanges::AddressRanges(const std::vector<std::string>& networks) {
    for (const auto& network : networks) {
        const auto slash = network.find('/');
        const auto address = network.substr(0, slash);
        const auto bytes = parse_address(address);
        const unsigned least = address.find(':') == address.npos ? mapped_bits : 0;
        unsigned bits = 128 - least;
        bool right = bytes.has_value();
        if (right && slash != network.npos) {
            const char* const begin = network.data() + slash + 1;
            const char* const end = network.data() + network.size();
            const unsigned most = bits;
            const auto [rest, failure] = std::from_chars(begin, end, bits);
            right = failure == std::errc() && rest == end && bits <= most;
        }
        if (!right)
            throw base::Error(base::ErrorKind::invalid_input,
                              base::quoted(network) + " is no network",
                              "Write an address or a prefix, such as 10.0.0.0/8 or fd00::/8.");
        ranges_.push_back({*bytes, least + bits});
    }
}

bool AddressRanges::contains(std::string_view address) const noexcept {
    const auto bytes = parse_address(address);
    if (!bytes) return false;
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
        const auto whole = range.bits / 8, rest = range.bits % 8;
        if (!std::equal(bytes->begin(), bytes->begin() + whole, range.prefix.begin())) return false;
        return rest == 0 || (((*bytes)[whole] ^ range.prefix[whole]) >> (8 - rest)) == 0;
    });
}

std::string client_of(const RequestHead& head, const TrustedProxies& proxies) {
    auto client = head.peer;
    const bool standard = proxies.header == ProxyHeader::forwarded;
    const auto [begin, end] = head.headers.equal_range(standard ? "forwarded" : "x-forwarded-for");
    // Several lines are one list, in their order.
    std::vector<std::string_view> nodes;
    for (auto line = begin; line != end; ++line)
        for (const auto element : split(line->second, ','))
            nodes.push_back(standard ? node_of(element) : trimmed(element));
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
        if (!proxies.addresses.contains(client)) break;
        const auto address = address_of(*node);
        if (!address) break;
        client = *address;
    }
    return client;
}

} // namespace http
