#include "http/forwarded.h"

#include "http/server.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using http::AddressRanges;
using http::ProxyHeader;

namespace {

// Who it is that a proxy at 10.0.0.1 sends with these lines of a header.
std::string client(const std::vector<std::string>& lines,
                   ProxyHeader header = ProxyHeader::x_forwarded_for,
                   const std::string& peer = "10.0.0.1") {
    http::RequestHead head;
    head.peer = peer;
    for (const auto& line : lines)
        head.headers.emplace(header == ProxyHeader::forwarded ? "forwarded" : "x-forwarded-for",
                             line);
    return http::client_of(head, {AddressRanges({"10.0.0.0/8", "fd00::/8"}), header});
}

} // namespace

TEST_CASE("a network holds its addresses and no others") {
    const AddressRanges ranges({"10.1.0.0/16", "192.0.2.7", "2001:db8::/33", "10.9.8.128/25"});
    for (const char* in : {"10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "192.0.2.7",
                           "2001:db8:7fff::1", "10.9.8.128", "10.9.8.255"}) {
        INFO(in);
        CHECK(ranges.contains(in));
    }
    for (const char* out : {"10.2.0.0", "10.0.255.255", "192.0.2.8", "2001:db8:8000::", "::1",
                            "10.9.8.127", "", "example.com", "10.1.2"}) {
        INFO(out);
        CHECK_FALSE(ranges.contains(out));
    }
    CHECK(AddressRanges({"0.0.0.0/0"}).contains("203.0.113.1"));
    CHECK_FALSE(AddressRanges({"0.0.0.0/0"}).contains("2001:db8::1"));
    CHECK_FALSE(AddressRanges().contains("127.0.0.1"));
}

TEST_CASE("what is no network is refused by its name") {
    for (const char* wrong : {"", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/8x", "10.0.0.0/-1",
                              "10.0.0.0/", "localhost"}) {
        INFO(wrong);
        CHECK_THROWS_AS(AddressRanges({wrong}), base::Error);
    }
}

TEST_CASE("the right-most address that is no proxy's is the client's") {
    CHECK(client({}) == "10.0.0.1");
    CHECK(client({"203.0.113.7"}) == "203.0.113.7");
    CHECK(client({"198.51.100.9, 203.0.113.7"}) ==
          "203.0.113.7"); // the left one is a stranger's word
    CHECK(client({"203.0.113.7, 10.2.2.2,10.3.3.3"}) == "203.0.113.7");
    CHECK(client({"198.51.100.9", "203.0.113.7, 10.2.2.2"}) == "203.0.113.7"); // lines are one list
    CHECK(client({"10.5.5.5, 10.2.2.2"}) == "10.5.5.5"); // a client within the network of proxies
    CHECK(client({"2001:db8::1"}) == "2001:db8::1");
    CHECK(client({"203.0.113.7:4711"}) == "203.0.113.7");
    CHECK(client({"[2001:db8::1]:4711"}) == "2001:db8::1");
}

TEST_CASE("a word that is no address ends the reading at the last one that was") {
    CHECK(client({"unknown"}) == "10.0.0.1");
    CHECK(client({"203.0.113.7, nonsense"}) == "10.0.0.1");
    CHECK(client({"203.0.113.7, , 10.2.2.2"}) == "10.2.2.2");
    CHECK(client({""}) == "10.0.0.1");
}

TEST_CASE("who is no trusted proxy names nobody") {
    CHECK(client({"203.0.113.7"}, ProxyHeader::x_forwarded_for, "192.0.2.1") == "192.0.2.1");
    CHECK(client({"203.0.113.7"}, ProxyHeader::x_forwarded_for, "") == ""); // the local socket
}

TEST_CASE("the standard header is read as RFC 7239 writes it") {
    const auto standard = [](const std::vector<std::string>& lines) {
        return client(lines, ProxyHeader::forwarded);
    };
    CHECK(standard({"for=203.0.113.7"}) == "203.0.113.7");
    CHECK(standard({"For=\"[2001:db8:cafe::17]:4711\""}) == "2001:db8:cafe::17");
    CHECK(standard({"for=192.0.2.60;proto=http;by=203.0.113.43"}) == "192.0.2.60");
    CHECK(standard({"for=192.0.2.43, for=198.51.100.17"}) == "198.51.100.17");
    CHECK(standard({"proto=https; for=203.0.113.7, for=10.2.2.2"}) == "203.0.113.7");
    CHECK(standard({"for=203.0.113.7;host=\"a,for=192.0.2.1;x\""}) == "203.0.113.7");
    CHECK(standard({"for=_hidden"}) == "10.0.0.1");
    CHECK(standard({"for=unknown, for=10.2.2.2"}) == "10.2.2.2");
    CHECK(standard({"proto=https"}) == "10.0.0.1");
    CHECK(standard({"for=\"203.0.113.7"}) == "10.0.0.1");
}

TEST_CASE("the header that the proxy does not set is not looked at") {
    http::RequestHead head;
    head.peer = "10.0.0.1";
    head.headers.emplace("forwarded", "for=192.0.2.1");
    const AddressRanges proxies({"10.0.0.0/8"});
    CHECK(http::client_of(head, {proxies, ProxyHeader::x_forwarded_for}) == "10.0.0.1");
    CHECK(http::client_of(head, {proxies, ProxyHeader::forwarded}) == "192.0.2.1");
}
