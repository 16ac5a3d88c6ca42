#include "http/url.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <curl/curl.h>
#include <memory>

namespace http {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

[[noreturn]] void refuse(std::string_view text) {
    throw base::Error(base::ErrorKind::invalid_input,
                      base::quoted(text.substr(0, 300)) + " is not an http or https URL");
}

Handle parse(std::string_view text) {
    Handle url(curl_url(), curl_url_cleanup);
    if (!url) throw std::bad_alloc();
    if (curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), CURLU_DISALLOW_USER) !=
        CURLUE_OK)
        refuse(text);
    return url;
}

std::string part(const Handle& url, CURLUPart which, unsigned flags, std::string_view text) {
    char* found = nullptr;
    if (curl_url_get(url.get(), which, &found, flags) != CURLUE_OK) refuse(text);
    std::string value(found);
    curl_free(found);
    return value;
}

void demand_http(const Handle& url, std::string_view text) {
    const auto scheme = part(url, CURLUPART_SCHEME, 0, text);
    if (scheme != "http" && scheme != "https") refuse(text);
}

// The four bytes of an IPv4 address, also of one inside IPv6 (::ffff:a.b.c.d, 64:ff9b::a.b.c.d).
bool ipv4_of(const std::string& host, std::array<unsigned char, 4>& v4,
             std::array<unsigned char, 16>& v6, bool& is_v6) {
    is_v6 = false;
    if (::inet_pton(AF_INET, host.c_str(), v4.data()) == 1) return true;
    if (::inet_pton(AF_INET6, host.c_str(), v6.data()) != 1) return false;
    is_v6 = true;
    constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    constexpr unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};
    if (std::memcmp(v6.data(), mapped, 12) != 0 && std::memcmp(v6.data(), nat64, 12) != 0)
        return false;
    std::memcpy(v4.data(), v6.data() + 12, 4);
    return true;
}

} // namespace

Url parse_url(std::string_view text) {
    const Handle url = parse(text);
    demand_http(url, text);
    Url parsed;
    parsed.scheme = part(url, CURLUPART_SCHEME, 0, text);
    parsed.host = part(url, CURLUPART_HOST, 0, text);
    if (parsed.host.starts_with('[')) parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
    std::transform(parsed.host.begin(), parsed.host.end(), parsed.host.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    parsed.port = std::stoi(part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, text));
    return parsed;
}

std::string Url::origin() const {
    const bool v6 = host.find(':') != host.npos;
    return scheme + "://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Url::is_loopback() const {
    std::array<unsigned char, 4> v4{};
    std::array<unsigned char, 16> v6{};
    bool is_v6;
    if (ipv4_of(host, v4, v6, is_v6)) return v4[0] == 127;
    if (is_v6)
        return std::all_of(v6.begin(), v6.end() - 1, [](auto b) { return b == 0; }) && v6[15] == 1;
    return host == "localhost" || host.ends_with(".localhost");
}

bool Url::is_internal() const {
    if (is_loopback()) return true;
    std::array<unsigned char, 4> v4{};
    std::array<unsigned char, 16> v6{};
    bool is_v6;
    if (ipv4_of(host, v4, v6, is_v6))
        return v4[0] == 0 || v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
               (v4[0] == 192 && v4[1] == 168) || (v4[0] == 169 && v4[1] == 254) ||
               (v4[0] == 100 && (v4[1] & 0xc0) == 64);
    if (!is_v6) return false;
    const bool unspecified = std::all_of(v6.begin(), v6.end(), [](auto b) { return b == 0; });
    return unspecified || (v6[0] & 0xfe) == 0xfc || (v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80);
}

std::string resolve(std::string_view base_url, std::string_view reference) {
    const Handle url = parse(base_url);
    if (curl_url_set(url.get(), CURLUPART_URL, std::string(reference).c_str(),
                     CURLU_DISALLOW_USER) != CURLUE_OK)
        refuse(reference);
    demand_http(url, reference);
    curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
    return part(url, CURLUPART_URL, 0, reference);
}

std::string without_secrets(std::string_view url) {
    std::string shown(url.substr(0, url.find_first_of("?#")));
    const auto scheme = shown.find("://");
    const auto host = scheme == shown.npos ? 0 : scheme + 3;
    const auto user = shown.substr(0, shown.find('/', host)).rfind('@');
    if (user != shown.npos && user >= host) shown.erase(host, user + 1 - host);
    return shown;
}

std::string percent_encode(std::string_view text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            encoded += c;
        else
            (encoded += '%') += {digits[byte >> 4], digits[byte & 15]};
    }
    return encoded;
}

} // namespace http
