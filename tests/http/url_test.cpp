#include "http/url.h"

#include "base/error.h"

#include <catch2/catch.hpp>

TEST_CASE("a Location is resolved as RFC 3986 says") {
    const std::string base = "https://h.example:5000/v2/a/blobs/uploads/?x=1";
    struct Row {
        std::string reference, expected;
    };
    for (const Row& row : {
             Row{"https://other.example/x?y=z", "https://other.example/x?y=z"},
             Row{"/v2/a/blobs/uploads/id?_state=a%2Bb",
                 "https://h.example:5000/v2/a/blobs/uploads/id?_state=a%2Bb"},
             Row{"id?_state=1", "https://h.example:5000/v2/a/blobs/uploads/id?_state=1"},
             Row{"../id", "https://h.example:5000/v2/a/blobs/id"},
             Row{"//cdn.example/b", "https://cdn.example/b"},
             Row{"?y=2", "https://h.example:5000/v2/a/blobs/uploads/?y=2"},
             Row{"/a#part", "https://h.example:5000/a"},
         }) {
        INFO(row.reference);
        CHECK(http::resolve(base, row.reference) == row.expected);
    }
}

TEST_CASE("only http and https URLs without a user are URLs") {
    for (const char* text :
         {"", "file:///etc/passwd", "ftp://h/x", "gopher://h/x", "http://", "http://user@h/",
          "https://user:pass@h/", "javascript:alert(1)", "http://h:99999/", "http://a b/"}) {
        INFO(text);
        CHECK_THROWS_AS(http::parse_url(text), base::Error);
    }
    CHECK_THROWS_AS(http::resolve("https://h/", "file:///etc/passwd"), base::Error);
    CHECK_THROWS_AS(http::resolve("https://h/", "https://u:p@h/"), base::Error);
}

TEST_CASE("two URLs have one origin when scheme, host and port are the same") {
    CHECK(http::parse_url("https://H.example/a").origin() == "https://h.example:443");
    CHECK(http::parse_url("https://h.example:443/b?c").origin() == "https://h.example:443");
    CHECK(http::parse_url("http://h.example").origin() == "http://h.example:80");
    CHECK(http::parse_url("http://[::1]:5000/").origin() == "http://[::1]:5000");
}

TEST_CASE("addresses of this machine and of private networks are known in every spelling") {
    for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]",
                             "a.localhost", "0177.0.0.1", "2130706433", "0x7f.1"}) {
        INFO(host);
        CHECK(http::parse_url(std::string("http://") + host + "/").is_loopback());
    }
    for (const char* host : {"10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
                             "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::]", "[fe80::1]",
                             "[fd00::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"}) {
        INFO(host);
        const auto url = http::parse_url(std::string("http://") + host + "/");
        CHECK(url.is_internal());
        CHECK_FALSE(url.is_loopback());
    }
    for (const char* host : {"example.org", "172.32.0.1", "192.169.0.1", "8.8.8.8",
                             "localhost.example.org", "[2001:db8::1]", "100.128.0.1"}) {
        INFO(host);
        CHECK_FALSE(http::parse_url(std::string("http://") + host + "/").is_internal());
    }
}

TEST_CASE("percent encoding leaves only what never means anything") {
    CHECK(http::percent_encode("aZ0-._~") == "aZ0-._~");
    CHECK(http::percent_encode("a b&c=d/\xc3\xbc") == "a%20b%26c%3Dd%2F%C3%BC");
}

TEST_CASE("a URL is shown without what may open it") {
    struct Row {
        std::string url, shown;
    };
    for (const Row& row :
         {Row{"https://h.example/a.tgz?sig=secret#part", "https://h.example/a.tgz"},
          Row{"https://me:word@h.example:8443/a@b.tgz", "https://h.example:8443/a@b.tgz"},
          Row{"https://me:w@rd@h.example", "https://h.example"},
          Row{"https://h.example?sig=a/b@c", "https://h.example"},
          Row{"me:word@h.example/a", "h.example/a"},
          Row{"https://h.example/a/b", "https://h.example/a/b"}, Row{"", ""}}) {
        INFO(row.url);
        CHECK(http::without_secrets(row.url) == row.shown);
    }
}
