#include "forges/event.h"

#include "base/crypto.h"
#include "base/error.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace {

bool has(const http::Request& request, const std::string& header) {
    return std::find(request.headers.begin(), request.headers.end(), header) !=
           request.headers.end();
}

} // namespace

TEST_CASE("an event is signed as the Standard Webhooks specification's own example is") {
    const auto request = forges::render_event(
        "https://example.com/hook", base::Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})");
    CHECK(request.method == "POST");
    CHECK(request.body == R"({"test": 2432232314})");
    CHECK(has(request, "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek"));
    CHECK(has(request, "webhook-timestamp: 1614265330"));
    CHECK(has(request, "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
}

TEST_CASE("a made secret holds 32 bytes and no two are equal") {
    const auto secret = forges::make_event_secret();
    REQUIRE(secret.reveal().starts_with("whsec_"));
    CHECK(base::base64_decode(secret.reveal().substr(6)).size() == 32);
    CHECK(secret.reveal() != forges::make_event_secret().reveal());
}

TEST_CASE("a secret of another form is refused") {
    for (const char* secret : {"", "abc", "whsec_***"})
        CHECK_THROWS_AS(
            forges::render_event("https://example.com", base::Secret(secret), "m", 1, "{}"),
            base::Error);
}
