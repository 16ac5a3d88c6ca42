#include "forges/verdict.h"

#include "fake_server.h"

#include <catch2/catch.hpp>

using forges::Ending;

namespace {

forges::Verdict judged(int status, std::multimap<std::string, std::string> headers = {}) {
    http::Response response;
    response.status = status;
    response.headers = std::move(headers);
    return forges::judge(response, 1000);
}

http::Request request_to(const std::string& url) {
    http::Request request;
    request.method = "POST";
    request.url = url;
    request.body = "{}";
    return request;
}

} // namespace

TEST_CASE("an answer says whether to stop, to come again or to give up") {
    for (const int status : {200, 201, 202, 204}) CHECK(judged(status).ending == Ending::done);
    for (const int status : {408, 429, 500, 502, 503, 504})
        CHECK(judged(status).ending == Ending::again);
    for (const int status : {301, 302, 307, 400, 401, 403, 404, 409, 410, 422})
        CHECK(judged(status).ending == Ending::never);
    CHECK_FALSE(judged(404).reason.empty());
}

TEST_CASE("a rate limit is waited out, as long as the forge asks and never over an hour") {
    CHECK(judged(429, {{"retry-after", "17"}}).after == std::chrono::seconds(17));
    CHECK(judged(503, {{"retry-after", " 3 "}}).after == std::chrono::seconds(3));
    const auto limited =
        judged(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "1060"}});
    CHECK(limited.ending == Ending::again);
    CHECK(limited.after == std::chrono::seconds(60));
    CHECK(judged(403, {{"x-ratelimit-remaining", "12"}}).ending == Ending::never);
    CHECK(judged(403, {{"retry-after", "1"}}).ending == Ending::again);
    CHECK(judged(429, {{"retry-after", "99999999"}}).after == std::chrono::hours(1));
    for (const char* odd : {"-5", "soon", "", "99999999999999999999"})
        CHECK(judged(429, {{"retry-after", odd}}).after == std::chrono::seconds(0));
    for (const char* hostile : {"-9223372036854775808", "-9223372036854775000"})
        CHECK(judged(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", hostile}}).after ==
              std::chrono::seconds(0));
    for (const char* hostile : {"9223372036854775807", "9223372036854775000"}) {
        CHECK(judged(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", hostile}}).after ==
              std::chrono::seconds(3600));
        CHECK(judged(429, {{"retry-after", hostile}}).after == std::chrono::seconds(3600));
    }
    CHECK(judged(403, {{"x-ratelimit-remaining", "0"}, {"x-ratelimit-reset", "10"}}).after ==
          std::chrono::seconds(0));
}

TEST_CASE("what a server answers is not followed and not repeated to people") {
    FakeServer server([](const FakeServer::Request& request) {
        if (request.target == "/ok") return FakeServer::answer(201, {}, R"({"id": 1})");
        if (request.target == "/away")
            return FakeServer::answer(302, {"Location: http://127.0.0.1:1/"});
        return FakeServer::answer(422, {}, "secret things of an inner server");
    });
    http::Client client;
    const auto ok = forges::tell(client, request_to(server.url("/ok")), {});
    CHECK(ok.verdict.ending == Ending::done);
    CHECK(ok.body == R"({"id": 1})");
    const auto away = forges::tell(client, request_to(server.url("/away")), {});
    CHECK(away.verdict.ending == Ending::never);
    const auto refused = forges::tell(client, request_to(server.url("/no")), {});
    CHECK(refused.verdict.ending == Ending::never);
    CHECK(refused.verdict.reason.find("secret") == std::string::npos);
    CHECK(server.requests().size() == 3);
}

TEST_CASE("a server that is down is asked again, an address that is not allowed never") {
    std::string url;
    {
        FakeServer gone([](const FakeServer::Request&) { return FakeServer::answer(200); });
        url = gone.url();
    }
    http::Client client;
    CHECK(forges::tell(client, request_to(url), {}).verdict.ending == Ending::again);

    FakeServer inner([](const FakeServer::Request&) { return FakeServer::answer(200); });
    http::ClientOptions options;
    options.allow_address = [](const std::string&) { return false; };
    http::Client guarded(options);
    const auto told = forges::tell(guarded, request_to(inner.url()), {});
    CHECK(told.verdict.ending == Ending::never);
    CHECK(inner.requests().empty());
}
