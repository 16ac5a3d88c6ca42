// Who is behind a proxy: the address that a trusted proxy names in its header, read from the right,
// for what is further left came from a stranger. Pure functions and values; any thread.
// X-Forwarded-For as proxies write it; Forwarded is RFC 7239.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace http {

struct RequestHead;

// Networks such as "10.0.0.0/8", "2001:db8::/32"; an address alone is a network of one.
class AddressRanges {
  public:
    AddressRanges() = default;
    // Throws Error{invalid_input} that names what is no network.
    explicit AddressRanges(const std::vector<std::string>& networks);
    // A numeric address; an IPv4 address inside IPv6 (::ffff:10.0.0.1) is the IPv4 one. What is no
    // address lies in none.
    bool contains(std::string_view address) const noexcept;
    bool empty() const noexcept { return ranges_.empty(); }

  private:
    struct Range {
        std::array<std::uint8_t, 16> prefix{}; // IPv4 mapped into IPv6
        unsigned bits = 128;
    };
    std::vector<Range> ranges_;
};

// A proxy sets one of them and hands the other on as it came: which one is read is the operator's
// to say, and the other one is never looked at.
enum class ProxyHeader { x_forwarded_for, forwarded };

struct TrustedProxies {
    AddressRanges addresses;
    ProxyHeader header = ProxyHeader::x_forwarded_for;
};

// The numeric address of whoever sent the request: head.peer unless that is a trusted proxy; else
// the right-most address of the header that is none, or the last readable one before a word that
// is no address ("unknown", "_hidden", nonsense).
std::string client_of(const RequestHead& head, const TrustedProxies& proxies);

} // namespace http
