#include "base/secret_mask.h"

#include "base/crypto.h"
#include "base/text.h"

#include <catch2/catch.hpp>

#include <cstdio>
#include <ctime>

using base::Secret;
using base::SecretMask;

namespace {

SecretMask mask_of(std::initializer_list<const char*> values) {
    std::vector<Secret> secrets;
    for (const char* value : values) secrets.emplace_back(value);
    return SecretMask(secrets);
}

std::string by_pieces(const SecretMask& mask, std::string_view text, std::size_t size) {
    std::string masked;
    SecretMask::Stream stream(mask, [&](std::string_view piece) { masked += piece; });
    for (std::size_t i = 0; i < text.size(); i += size) stream.feed(text.substr(i, size));
    stream.finish();
    return masked;
}

} // namespace

TEST_CASE("a secret value becomes three stars wherever it stands") {
    const auto mask = mask_of({"hunter2-and-more"});
    CHECK(mask.apply("hunter2-and-more") == "***");
    CHECK(mask.apply("a hunter2-and-more b") == "a *** b");
    CHECK(mask.apply("hunter2-and-morehunter2-and-more!") == "***!");
    CHECK(mask.apply("hunter2-and-mor") == "hunter2-and-mor");
    CHECK(mask.apply("hunterhunter2-and-more") == "hunter***");
    CHECK(mask.apply("") == "");
}

TEST_CASE("values that overlap leave nothing of either") {
    const auto mask = mask_of({"abcdefgh", "efghijkl", "fghijk"});
    CHECK(mask.apply("<abcdefghijkl>") == "<***>");
    CHECK(mask.apply("<efghijkl>") == "<***>");
    CHECK(mask.apply("<fghijk>") == "<***>");
    CHECK(mask.apply("<abcdefg>") == "<abcdefg>");
}

TEST_CASE("a value of which another is the beginning is hidden whole") {
    const auto mask = mask_of({"token-1", "token-1-and-its-tail"});
    CHECK(mask.apply("x token-1-and-its-tail y") == "x *** y");
    CHECK(mask.apply("x token-1-and y") == "x ***-and y");
}

TEST_CASE("short values and words that are settings stay readable") {
    const auto mask = mask_of({"12345", "production", "true", "", "debug"});
    CHECK(mask.empty());
    CHECK(mask.apply("12345 in production is true") == "12345 in production is true");
    CHECK(mask_of({"123456"}).apply("123456") == "***");
}

TEST_CASE(
    "a value is hidden in base64 at each alignment, also URL-safe and inside of other texts") {
    // Bytes that give both letters in which the alphabets differ.
    const std::string value = "s\xc3\xbf?>~cret-\xef\xbf\xbe-value";
    const SecretMask mask({Secret(value)});
    for (const char* before : {"", "a", "ab", "abc", "user:", "x-token:"}) {
        for (const char* after : {"", "\n", "zz", "zzz"}) {
            const auto encoded = base::base64_encode(before + value + after);
            INFO(encoded);
            // What is left belongs to the neighbours, at most with a few bits of the value.
            const auto head = (std::string_view(before).size() * 8 + 5) / 6;
            const auto tail = (std::string_view(before).size() + value.size()) * 8 / 6;
            const auto hidden = [&](const std::string& text, const std::string& masked) {
                const auto begin = text.substr(0, head) + "***";
                return masked.starts_with(begin) &&
                       std::string_view(text).substr(tail).ends_with(masked.substr(begin.size()));
            };
            CHECK(hidden(encoded, mask.apply(encoded)));
            const auto url = base::base64url_encode(before + value + after);
            CHECK(hidden(url, mask.apply(url)));
        }
    }
}

TEST_CASE("a long value is hidden in base64 that was wrapped into lines") {
    std::string value;
    for (int i = 0; i < 40; ++i) value += "key" + std::to_string(i * 7919);
    const SecretMask mask({Secret(value)});
    for (const std::size_t width : {76u, 64u}) {
        const auto encoded = base::base64_encode(value);
        for (std::size_t i = 0; i + 6 <= encoded.size(); i += width)
            CHECK(mask.apply(encoded.substr(i, width)) == "***");
    }
}

TEST_CASE("a value is hidden percent-encoded and JSON-escaped") {
    const SecretMask mask({Secret("p@ss w\"rd/with\\all\tof:it\x01")});
    CHECK(mask.apply("p%40ss%20w%22rd%2Fwith%5Call%09of%3Ait%01") == "***");
    CHECK(mask.apply("p%40ss%20w%22rd%2fwith%5call%09of%3ait%01") == "***");
    CHECK(mask.apply("p%40ss+w%22rd%2Fwith%5Call%09of%3Ait%01") == "***");
    CHECK(mask.apply("p%40ss%20w%22rd/with%5Call%09of%3Ait%01") == "***");
    CHECK(mask.apply("p@ss w\\\"rd/with\\\\all\\tof:it\\u0001") == "***");
    CHECK(mask.apply("p@ss w\\\"rd\\/with\\\\all\\tof:it\\u0001") == "***");
    CHECK(mask.apply(base::printable("p@ss w\"rd/with\\all\tof:it\x01")) == "***");
}

TEST_CASE("of a value with several lines each line is hidden, its heading is not") {
    const auto mask = mask_of({"-----BEGIN KEY-----\nMIIEvQIBADAN\r\n  BgkqhkiG9w0B\nabc\n"
                               "-----END KEY-----\n"});
    CHECK(mask.apply("MIIEvQIBADAN") == "***");
    CHECK(mask.apply("  BgkqhkiG9w0B!") == "  ***!");
    CHECK(mask.apply("-----BEGIN KEY-----") == "-----BEGIN KEY-----");
    CHECK(mask.apply("abc") == "abc");
    CHECK(mask.apply("k=\"-----BEGIN KEY-----\\nMIIEvQIBADAN\\r\\n  BgkqhkiG9w0B\\nabc\\n"
                     "-----END KEY-----\\n\"") == "k=\"***\\n\"");
}

TEST_CASE("the password in a URL is hidden by itself, the rest of the URL only as a whole") {
    const auto mask = mask_of({"postgres://shop:s3cr3t-word@db.example.com:5432/shop"});
    CHECK(mask.apply("login with s3cr3t-word failed at db.example.com") ==
          "login with *** failed at db.example.com");
    CHECK(mask.apply("postgres://shop:s3cr3t-word@db.example.com:5432/shop!") == "***!");
    CHECK(mask_of({"https://ghp_0123456789@github.com/a/b"}).apply("ghp_0123456789") == "***");
    CHECK(mask_of({"https://example.com/a@b:cdefghi"}).apply("cdefghi") == "cdefghi");
}

TEST_CASE("a value across pieces is hidden, however the text is cut") {
    const auto mask = mask_of({"first-secret", "secret-of-two", "aaaaaaab"});
    const std::string text = "x first-secret-of-two y\nfirst-secre\nt aaaaaaaaaaaaaaab "
                             "first-secretsecret-of-tw end aaaaaa";
    const std::string expected = "x *** y\nfirst-secre\nt aaaaaaaa*** ***secret-of-tw end aaaaaa";
    REQUIRE(mask.apply(text) == expected);
    for (std::size_t size = 1; size <= text.size(); ++size) {
        INFO(size);
        CHECK(by_pieces(mask, text, size) == expected);
    }
}

TEST_CASE("a line cut into pieces of a thousand bytes shows no part of a value on the cut") {
    const std::string value = "0123456789abcdefghijklmnopqrstuvwxyz";
    const SecretMask mask({Secret(value)});
    for (std::size_t before = 960; before <= 1005; ++before) {
        std::vector<std::string> lines;
        base::LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); });
        SecretMask::Stream stream(mask, [&](std::string_view text) { splitter.feed(text); });
        stream.feed(std::string(before, '.') + value + std::string(1500, '.') + "\n");
        stream.finish();
        splitter.finish();
        std::string all;
        for (const auto& line : lines) all += line;
        INFO(before);
        CHECK(all == std::string(before, '.') + "***" + std::string(1500, '.'));
    }
}

TEST_CASE("what cannot be the beginning of a value leaves at once") {
    const auto mask = mask_of({"secret-value"});
    std::string masked;
    SecretMask::Stream stream(mask, [&](std::string_view piece) { masked += piece; });
    stream.feed("progress 10%");
    CHECK(masked == "progress 10%");
    stream.feed(" sec");
    CHECK(masked == "progress 10% ");
    stream.feed("onds!");
    CHECK(masked == "progress 10% seconds!");
    stream.feed(" secret-val");
    stream.finish();
    CHECK(masked == "progress 10% seconds! secret-val");
}

TEST_CASE("bytes of every kind are taken, the value's own too") {
    const std::string value("\0\xff\xfe\n\x80\0zz", 8);
    const SecretMask mask({Secret(value)});
    std::string text;
    for (int i = 0; i < 256; ++i) text += static_cast<char>(i);
    CHECK(mask.apply(text) == text);
    CHECK(mask.apply(text + value + text) == text + "***" + text);
}

// Hidden: for docs/config-vars.md's figure. base_tests '[measure]'
TEST_CASE("masking a hundred secrets in 64 MB of log", "[.][measure]") {
    std::vector<Secret> secrets;
    for (int i = 0; i < 100; ++i) secrets.emplace_back(base::random_token(40));
    std::string log;
    while (log.size() < (64u << 20))
        log += "       [" + std::to_string(log.size()) + "] npm http fetch GET 200 " +
               base::sha256_hex(std::to_string(log.size())) + " attempt #1 84ms (cache miss)\n";
    const auto start = std::clock();
    const SecretMask mask(secrets);
    const auto made = std::clock();
    std::size_t bytes = 0;
    SecretMask::Stream stream(mask, [&](std::string_view piece) { bytes += piece.size(); });
    for (std::size_t i = 0; i < log.size(); i += 65536)
        stream.feed(std::string_view(log).substr(i, 65536));
    stream.finish();
    const auto ended = std::clock();
    CHECK(bytes == log.size());
    const auto milliseconds = [](std::clock_t ticks) { return ticks * 1000 / CLOCKS_PER_SEC; };
    std::printf("processor time: made in %ld ms, %zu bytes in %ld ms\n", milliseconds(made - start),
                log.size(), milliseconds(ended - made));
}
