#include "http/address.h"

#include "base/error.h"
#include "http/client.h"

#include <catch2/catch.hpp>

TEST_CASE("only addresses of the public Internet are public") {
    for (const char* address :
         {"93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1",
          "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::808:808", "2002:808:808::1"}) {
        INFO(address);
        CHECK(http::is_public_address(address));
    }
    for (const char* address : {"127.0.0.1",
                                "127.255.0.1",
                                "0.0.0.0",
                                "10.1.2.3",
                                "172.16.0.1",
                                "172.31.255.255",
                                "192.168.1.1",
                                "169.254.169.254",
                                "100.64.0.1",
                                "100.127.255.255",
                                "192.0.0.8",
                                "198.18.0.1",
                                "224.0.0.1",
                                "255.255.255.255",
                                "240.0.0.1",
                                "::1",
                                "::",
                                "::ffff:127.0.0.1",
                                "::127.0.0.1",
                                "64:ff9b::7f00:1",
                                "64:ff9b::a00:1",
                                "64:ff9b:1::808:808",
                                "fe80::1",
                                "fc00::1",
                                "fd12:3456::1",
                                "fec0::1",
                                "ff02::1",
                                "2001:db8::1",
                                "2001::1",
                                "2002:7f00:1::",
                                "2002:c0a8:101::1",
                                "100::1",
                                "0177.0.0.1",
                                "localhost",
                                "",
                                "1.2.3"}) {
        INFO(address);
        CHECK_FALSE(http::is_public_address(address));
    }
}

TEST_CASE("odd ways to write an address are resolved to what they mean") {
    for (const char* host : {"0177.0.0.1", "0x7f.1", "2130706433", "127.1"}) {
        INFO(host);
        CHECK(http::addresses_of(host) == std::vector<std::string>{"127.0.0.1"});
    }
    CHECK_THROWS_AS(http::addresses_of("no-such-host.invalid"), base::Error);
}

TEST_CASE("a client with an address check does not connect to what it refuses") {
    std::vector<std::string> asked;
    http::Client client({.allow_address = [&](const std::string& address) {
        asked.push_back(address);
        return http::is_public_address(address);
    }});
    try {
        client.send({.url = "http://127.0.0.1:9/x"}, {});
        FAIL("it connected");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::denied);
        CHECK(error.message().find("is at an address that is not public") != std::string::npos);
    }
    CHECK(asked == std::vector<std::string>{"127.0.0.1"});
}
