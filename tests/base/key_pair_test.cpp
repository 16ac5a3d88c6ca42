// The openssl program judges: it shares no code with ours but the library.
#include "base/key_pair.h"

#include "errors.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

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

TEST_CASE("openssl verifies what a key pair signs, and nothing else") {
    const base::TempDir directory("key");
    const auto file = [&](const char* name) { return (directory.path() / name).string(); };
    const auto pair = base::KeyPair::make();
    base::write_file(file("public"), pair.public_key().pem());
    base::write_file(file("text"), "what was built");
    base::write_file(file("signature"), pair.sign("what was built"));
    const std::vector<std::string> question{"dgst",         "-sha256",    "-verify",
                                            file("public"), "-signature", file("signature"),
                                            file("text")};
    CHECK(openssl(question).status.ok());
    base::write_file(file("text"), "what was not");
    CHECK_FALSE(openssl(question).status.ok());
}

TEST_CASE("a public key verifies what openssl signs") {
    const base::TempDir directory("key");
    const auto file = [&](const char* name) { return (directory.path() / name).string(); };
    REQUIRE(
        openssl({"ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file("private")})
            .status.ok());
    REQUIRE(openssl({"ec", "-in", file("private"), "-pubout", "-out", file("public")}).status.ok());
    base::write_file(file("text"), "what was built");
    REQUIRE(openssl({"dgst", "-sha256", "-sign", file("private"), "-out", file("signature"),
                     file("text")})
                .status.ok());
    const auto key = base::PublicKey::parse(base::read_file(file("public")));
    const auto signature = base::read_file(file("signature"));
    CHECK(key.has_signed("what was built", signature));
    CHECK_FALSE(key.has_signed("what was not", signature));
    CHECK_FALSE(key.has_signed("what was built", signature.substr(1)));
    CHECK_FALSE(key.has_signed("what was built", ""));
    CHECK_FALSE(base::KeyPair::make().public_key().has_signed("what was built", signature));
    const auto pair = base::KeyPair::parse(base::Secret(base::read_file(file("private"))));
    CHECK(pair.public_key().id() == key.id());
}

TEST_CASE("a key pair is made once, is its owner's alone, and is the same afterwards") {
    const base::TempDir directory("key");
    const auto file = directory.path() / "signing.key";
    const auto first = base::KeyPair::open(file);
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto second = base::KeyPair::open(file);
    CHECK(second.public_key().pem() == first.public_key().pem());
    CHECK(first.public_key().has_signed("text", second.sign("text")));

    std::filesystem::permissions(file, std::filesystem::perms(0640));
    CHECK(kind_of([&] { base::KeyPair::open(file); }) == base::ErrorKind::denied);
}

TEST_CASE("several public keys stand in one text") {
    const auto one = base::KeyPair::make().public_key(), two = base::KeyPair::make().public_key();
    const auto keys = base::PublicKey::parse_all("# new\n" + one.pem() + "# old\n" + two.pem());
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].id() == one.id());
    CHECK(keys[1].id() == two.id());
}

TEST_CASE("what is no key on P-256 is refused by name") {
    const base::TempDir directory("key");
    const auto rsa = (directory.path() / "rsa").string();
    REQUIRE(openssl({"genpkey", "-algorithm", "RSA", "-out", rsa}).status.ok());
    CHECK(kind_of([&] { base::KeyPair::parse(base::Secret(base::read_file(rsa))); }) ==
          base::ErrorKind::invalid_input);
    for (const char* text :
         {"", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}) {
        CHECK(kind_of([&] { base::PublicKey::parse(text); }) == base::ErrorKind::invalid_input);
        CHECK(kind_of([&] { base::PublicKey::parse_all(text); }) == base::ErrorKind::invalid_input);
    }
}

TEST_CASE("what a fresh key signs for a token is verified by its certificate") {
    const base::TempDir directory("key");
    const auto key = base::KeyPair::make();
    const auto file = [&](const char* name) { return (directory.path() / name).string(); };
    base::replace_file(file("certificate"), key.certificate("slipway", std::chrono::hours(24)),
                       0600);
    const auto shown = openssl({"x509", "-in", file("certificate"), "-noout", "-pubkey"});
    REQUIRE(shown.status.ok());
    base::replace_file(file("public"), shown.output, 0600);
    // Several: a number with a leading zero comes once in 256.
    for (int i = 0; i < 20; ++i) {
        const auto text = "header.claims " + std::to_string(i);
        const auto signature = key.sign_es256(text);
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
    const auto key = base::KeyPair::make();
    const auto file = (directory.path() / "certificate").string();
    base::replace_file(file, key.certificate("slipway registry", std::chrono::hours(24)), 0600);
    CHECK(openssl({"verify", "-CAfile", file, file}).status.ok());
    CHECK(openssl({"x509", "-in", file, "-noout", "-checkend", "82800"}).status.ok());
    CHECK_FALSE(openssl({"x509", "-in", file, "-noout", "-checkend", "90000"}).status.ok());
    CHECK(openssl({"x509", "-in", file, "-noout", "-subject"}).output.find("slipway registry") !=
          std::string::npos);
}

TEST_CASE("two fresh keys are two") {
    CHECK(base::KeyPair::make().public_key().id() != base::KeyPair::make().public_key().id());
}
