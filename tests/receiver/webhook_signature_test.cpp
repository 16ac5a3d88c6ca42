#include "receiver/webhook.h"

#include "base/crypto.h"

#include <catch2/catch.hpp>

using namespace receiver;

namespace {

const std::string secret = "It's a Secret to Everybody";
const std::string body = "Hello, World!";
const std::string signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

bool github(const std::string& value, const std::string& key = secret) {
    return verify(Forge::github, {{"x-hub-signature-256", value}}, body, key);
}

} // namespace

TEST_CASE("GitHub's own example of a signature holds") {
    CHECK(github("sha256=" + signature));
}

TEST_CASE("a signature that is not the one is refused, whatever its length and form") {
    CHECK_FALSE(verify(Forge::github, {}, body, secret));
    for (const auto& wrong :
         {std::string(), std::string("sha256="), "sha256=" + signature.substr(1), signature,
          "sha256=" + signature + "0", "sha1=" + signature, "sha256=" + std::string(64, '0'),
          "sha256=" + std::string(1 << 16, 'a'), "SHA256=" + signature, "sha256= " + signature,
          "sha256=" + std::string(64, '\0'), std::string("sha256=\xff\xfe")})
        CHECK_FALSE(github(wrong));
}

TEST_CASE("without a secret nobody is believed, not even who signs with the empty one") {
    CHECK_FALSE(github("sha256=" + base::hmac_sha256_hex("", body), ""));
    CHECK_FALSE(verify(Forge::gitlab, {{"x-gitlab-token", ""}}, body, ""));
    CHECK_FALSE(verify(Forge::gitlab, {}, body, ""));
}

TEST_CASE("a body that was read and written again is another body") {
    const std::string sent = R"({"b": 1, "a": 2})", again = R"({"a":2,"b":1})";
    const auto signed_sent = "sha256=" + base::hmac_sha256_hex(secret, sent);
    CHECK(verify(Forge::github, {{"x-hub-signature-256", signed_sent}}, sent, secret));
    CHECK_FALSE(verify(Forge::github, {{"x-hub-signature-256", signed_sent}}, again, secret));
}

TEST_CASE("the SHA-1 header is not looked at") {
    CHECK_FALSE(verify(Forge::github, {{"x-hub-signature", "sha256=" + signature}}, body, secret));
}

TEST_CASE("a signature that came twice is refused, though one of the two is right") {
    CHECK_FALSE(verify(Forge::github,
                       {{"x-hub-signature-256", "sha256=" + signature},
                        {"x-hub-signature-256", "sha256=" + std::string(64, '0')}},
                       body, secret));
}

TEST_CASE("Gitea and Forgejo sign with the bare digits") {
    for (const char* name : {"x-gitea-signature", "x-forgejo-signature"}) {
        CHECK(verify(Forge::gitea, {{name, signature}}, body, secret));
        CHECK_FALSE(verify(Forge::gitea, {{name, "sha256=" + signature}}, body, secret));
    }
    CHECK_FALSE(
        verify(Forge::gitea, {{"x-hub-signature-256", "sha256=" + signature}}, body, secret));
}

TEST_CASE("GitLab shows the secret itself") {
    CHECK(verify(Forge::gitlab, {{"x-gitlab-token", secret}}, body, secret));
    CHECK_FALSE(verify(Forge::gitlab, {{"x-gitlab-token", secret + "x"}}, body, secret));
    CHECK_FALSE(verify(Forge::gitlab, {{"x-gitlab-token", secret.substr(1)}}, body, secret));
    CHECK_FALSE(verify(Forge::gitlab, {}, body, secret));
}

TEST_CASE("the generic webhook is signed as GitHub's, under either name") {
    for (const char* name : {"x-signature", "x-signature-256"}) {
        CHECK(verify(Forge::generic, {{name, "sha256=" + signature}}, body, secret));
        CHECK_FALSE(verify(Forge::generic, {{name, signature}}, body, secret));
    }
}

TEST_CASE("Gitea is known by its own headers, though it sends GitHub's as well") {
    CHECK(detect_forge({{"x-github-event", "push"}, {"x-gitea-event", "push"}}) == Forge::gitea);
    CHECK(detect_forge({{"x-github-event", "push"},
                        {"x-gogs-event", "push"},
                        {"x-forgejo-event", "push"}}) == Forge::gitea);
    CHECK(detect_forge({{"x-github-event", "push"}}) == Forge::github);
    CHECK(detect_forge({{"x-gitlab-event", "Push Hook"}}) == Forge::gitlab);
    CHECK(detect_forge({{"x-signature", "sha256=00"}}) == Forge::generic);
    CHECK_FALSE(detect_forge({{"user-agent", "curl"}}));
}

TEST_CASE("kinds of webhooks have names, and other names say which there are") {
    for (const auto forge : {Forge::github, Forge::gitlab, Forge::gitea, Forge::generic})
        CHECK(parse_forge(to_string(forge)) == forge);
    CHECK_THROWS_WITH(parse_forge("sourceforge"), Catch::Contains("sourceforge"));
}
