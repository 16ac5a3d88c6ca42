#include "registry_tokens.h"

#include "base/crypto.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <regex>

using server::RegistryTokens;

namespace {

nlohmann::json decode(std::string part) {
    for (auto& letter : part) letter = letter == '-' ? '+' : letter == '_' ? '/' : letter;
    part.resize((part.size() + 3) / 4 * 4, '=');
    return nlohmann::json::parse(base::base64_decode(part));
}

} // namespace

TEST_CASE("a registry's token says who may do what, for five minutes") {
    const RegistryTokens tokens;
    const std::int64_t now = 1'700'000'000'000;
    const auto text = tokens.make("alice", {{"repository", "acme/web", {"pull", "push"}}}, now);
    const auto first = text.find('.'), last = text.rfind('.');
    REQUIRE(first != last);
    const auto header = decode(text.substr(0, first));
    CHECK(header["typ"] == "JWT");
    CHECK(header["alg"] == "ES256");
    CHECK(std::regex_match(header["kid"].get<std::string>(),
                           std::regex("[A-Z2-7]{4}(:[A-Z2-7]{4}){11}")));
    const auto claims = decode(text.substr(first + 1, last - first - 1));
    CHECK(claims["iss"] == RegistryTokens::issuer);
    CHECK(claims["aud"] == RegistryTokens::service);
    CHECK(claims["sub"] == "alice");
    CHECK(claims["iat"] == now / 1000);
    CHECK(claims["nbf"] == now / 1000 - 60);
    CHECK(claims["exp"] == now / 1000 + 300);
    CHECK(claims["access"] ==
          nlohmann::json::parse(
              R"([{"type":"repository","name":"acme/web","actions":["pull","push"]}])"));
    CHECK(tokens.make("alice", {}, now) != tokens.make("alice", {}, now));
}

TEST_CASE("a login without a scope gets a token for nothing") {
    const auto text = RegistryTokens().make("alice", {}, 0);
    const auto first = text.find('.');
    CHECK(decode(text.substr(first + 1, text.rfind('.') - first - 1))["access"].empty());
}

TEST_CASE("a key's fingerprint is docker-registry's own") {
    // SHA-256 of nothing is e3b0c442 98fc1c14 9afbf4c8 996fb924 27ae41e4 649b934c a495991b 7852...
    CHECK(server::fingerprint_of_key("") ==
          "4OYM:IQUY:7QOB:JGX3:6TEJ:S35Z:EQT2:4QPE:MSNZ:GTFE:SWMR:W6CS");
}

TEST_CASE("a build's secret names the build, and only we can make it") {
    const RegistryTokens tokens, others;
    const auto secret = tokens.secret_of_build("b1_2").reveal();
    CHECK(tokens.build_of_secret(secret) == "b1_2");
    CHECK_FALSE(others.build_of_secret(secret));
    CHECK_FALSE(tokens.build_of_secret(tokens.secret_of_build("b1").reveal() + "0"));
    auto other_build = secret;
    other_build.replace(other_build.find("b1_2"), 4, "b1_3");
    CHECK_FALSE(tokens.build_of_secret(other_build));
    for (const auto* wrong : {"", "slb_", "slb_b1", "slw_0123456789"})
        CHECK_FALSE(tokens.build_of_secret(wrong));
}

TEST_CASE("the server's own password is of this process alone") {
    const RegistryTokens tokens, others;
    CHECK(tokens.is_own_password(tokens.own_password().reveal()));
    CHECK_FALSE(tokens.is_own_password(others.own_password().reveal()));
    CHECK_FALSE(tokens.is_own_password(""));
}
