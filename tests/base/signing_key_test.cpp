// The openssl program judges: it shares no code with ours but the library.
#include "base/signing_key.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace {

// DER's SEQUENCE of two INTEGERs, as `openssl dgst -verify` reads a signature.
std::string to_der(const std::string& signature) {
    const auto integer = [](std::string number) {
        number.erase(0, std::min(number.find_first_not_of('\0'), number.size() - 1));
        if (static_cast<unsigned char>(number[0]) >= 0x80) number.insert(0, 1, '\0');
        return std::string("\x02") + static_cast<char>(number.size()) + number;
    };
    const auto both = integer(signature.substr(0, 32)) + integer(signature.substr(32));
    return std::string("\x30") + static_cast<char>(both.size()) + both;
}

base::Captured openssl(std::vector<std::string> words) {
    words.insert(words.begin(), "openssl");
    return base::run({.argv = words, .environment = base::minimal_environment()}, base::Stop{});
}

} // namespace

TEST_CASE("what a fresh key signs is verified by its certificate") {
    const base::TempDir directory("key");
    const base::SigningKey key;
    const auto file = [&](const char* name) { return (directory.path() / name).string(); };
    base::replace_file(file("certificate"), key.certificate("slipway", std::chrono::hours(24)),
                       0600);
    const auto shown = openssl({"x509", "-in", file("certificate"), "-noout", "-pubkey"});
    REQUIRE(shown.status.ok());
    base::replace_file(file("public"), shown.output, 0600);
    // Several: a number with a leading zero comes once in 256.
    for (int i = 0; i < 20; ++i) {
        const auto text = "header.claims " + std::to_string(i);
        const auto signature = key.sign(text);
        REQUIRE(signature.size() == 64);
        base::replace_file(file("text"), text, 0600);
        base::replace_file(file("signature"), to_der(signature), 0600);
        CHECK(openssl({"dgst", "-sha256", "-verify", file("public"), "-signature",
                       file("signature"), file("text")})
                  .status.ok());
        base::replace_file(file("text"), text + "!", 0600);
        CHECK_FALSE(openssl({"dgst", "-sha256", "-verify", file("public"), "-signature",
                             file("signature"), file("text")})
                        .status.ok());
    }
}

TEST_CASE("a certificate is signed by itself, valid now and for as long as was asked") {
    const base::TempDir directory("key");
    const base::SigningKey key;
    const auto file = (directory.path() / "certificate").string();
    base::replace_file(file, key.certificate("slipway registry", std::chrono::hours(24)), 0600);
    CHECK(openssl({"verify", "-CAfile", file, file}).status.ok());
    CHECK(openssl({"x509", "-in", file, "-noout", "-checkend", "82800"}).status.ok());
    CHECK_FALSE(openssl({"x509", "-in", file, "-noout", "-checkend", "90000"}).status.ok());
    CHECK(openssl({"x509", "-in", file, "-noout", "-subject"}).output.find("slipway registry") !=
          std::string::npos);
}

TEST_CASE("two keys are two") {
    CHECK(base::SigningKey().public_key() != base::SigningKey().public_key());
}
