#include "http/address.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>

namespace http {
namespace {

using Bytes = std::array<unsigned char, 16>;

struct Range {
    const char* prefix;
    unsigned bits;
};

// IANA's special-purpose registries: what is not globally reachable.
constexpr Range special_v4[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},
};
constexpr Range special_v6[] = {
    {"2001::", 23}, // Teredo, benchmarking, ORCHID
    {"2001:db8::", 32},
    {"3fff::", 20},
};
constexpr Range global_v6 = {"2000::", 3};
constexpr Range mapped = {"::ffff:0:0", 96};
constexpr Range nat64 = {"64:ff9b::", 96};
constexpr Range six_to_four = {"2002::", 16};

bool lies_in(const unsigned char* address, int family, const Range& range) {
    Bytes prefix{};
    ::inet_pton(family, range.prefix, prefix.data());
    const auto whole = range.bits / 8, rest = range.bits % 8;
    if (std::memcmp(address, prefix.data(), whole) != 0) return false;
    if (rest == 0) return true;
    const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
    return (address[whole] & mask) == (prefix[whole] & mask);
}

bool is_public_v4(const unsigned char* address) {
    return std::none_of(std::begin(special_v4), std::end(special_v4),
                        [&](const Range& range) { return lies_in(address, AF_INET, range); });
}

bool is_public_v6(const unsigned char* address) {
    if (lies_in(address, AF_INET6, mapped) || lies_in(address, AF_INET6, nat64))
        return is_public_v4(address + 12);
    if (lies_in(address, AF_INET6, six_to_four)) return is_public_v4(address + 2);
    return lies_in(address, AF_INET6, global_v6) &&
           std::none_of(std::begin(special_v6), std::end(special_v6),
                        [&](const Range& range) { return lies_in(address, AF_INET6, range); });
}

std::string numeric(const sockaddr* address) {
    char text[INET6_ADDRSTRLEN] = "";
    if (address->sa_family == AF_INET)
        ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text,
                    sizeof text);
    if (address->sa_family == AF_INET6)
        ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text,
                    sizeof text);
    return text;
}

// A server with a public address would answer itself, and its neighbours in a datacentre not.
bool is_own(const std::string& address) {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return true; // unknown: not to be called
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, ::freeifaddrs);
    for (const auto* one = first; one; one = one->ifa_next)
        if (one->ifa_addr && numeric(one->ifa_addr) == address) return true;
    return false;
}

} // namespace

bool is_public_address(const std::string& address) {
    Bytes bytes{};
    if (::inet_pton(AF_INET, address.c_str(), bytes.data()) == 1)
        return is_public_v4(bytes.data()) && !is_own(address);
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return false;
    return is_public_v6(bytes.data()) && !is_own(address);
}

std::vector<std::string> addresses_of(const std::string& host) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &wanted, &first);
    if (failed == EAI_NONAME || failed == EAI_NODATA)
        throw base::Error(base::ErrorKind::not_found, "there is no host " + base::quoted(host));
    if (failed != 0)
        throw base::Error(base::ErrorKind::unavailable, "could not look up the host " +
                                                            base::quoted(host) + ": " +
                                                            ::gai_strerror(failed));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(first, ::freeaddrinfo);
    std::vector<std::string> addresses;
    for (const auto* one = first; one; one = one->ai_next)
        if (const auto address = numeric(one->ai_addr);
            !address.empty() &&
            std::find(addresses.begin(), addresses.end(), address) == addresses.end())
            addresses.push_back(address);
    return addresses;
}

} // namespace http
