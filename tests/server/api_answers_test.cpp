#include "api/answers.h"
#include "api/exposition.h"
#include "api/metrics.h"
#include "api/rate_limit.h"

#include "http/router.h"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

using base::Error;
using base::ErrorKind;
using nlohmann::json;
using namespace server::api;
using Catch::Matchers::Contains;

namespace {

std::string header_of(const http::Reply& reply, const std::string& name) {
    for (const auto& [key, value] : reply.headers)
        if (key == name) return value;
    return "";
}

http::RequestHead asking(std::map<std::string, std::string> query) {
    http::RequestHead head;
    head.query = std::move(query);
    return head;
}

} // namespace

TEST_CASE("each kind of error has its status") {
    const std::vector<std::pair<ErrorKind, int>> table{
        {ErrorKind::invalid_input, 400},    {ErrorKind::unauthenticated, 401},
        {ErrorKind::denied, 403},           {ErrorKind::not_found, 404},
        {ErrorKind::already_exists, 409},   {ErrorKind::limit_exceeded, 413},
        {ErrorKind::buildpack_failed, 422}, {ErrorKind::internal, 500},
        {ErrorKind::cancelled, 503},        {ErrorKind::unavailable, 503},
        {ErrorKind::timed_out, 504}};
    for (const auto& [kind, status] : table) {
        const auto reply = render_error(Error(kind, "words"), "r1");
        CHECK(reply.status == status);
        CHECK(json::parse(reply.body)["error"]["code"] == base::to_string(kind));
    }
}

TEST_CASE("an error says its field, its hint and the request's id") {
    const auto reply = render_error(FieldError("name", "it is too long", "Use less."), "r7");
    CHECK(reply.status == 422);
    CHECK(json::parse(reply.body) == json{{"error",
                                           {{"code", "invalid_input"},
                                            {"message", "it is too long"},
                                            {"hint", "Use less."},
                                            {"field", "name"},
                                            {"request_id", "r7"}}}});
}

TEST_CASE("what failed inside of the server is not told") {
    const auto reply =
        render_error(Error(ErrorKind::internal, "/var/lib/slipway/keys: bad", "see there"), "r1");
    CHECK(reply.status == 500);
    CHECK_THAT(reply.body, !Contains("/var/lib"));
    CHECK_THAT(reply.body, !Contains("see there"));
}

TEST_CASE("answers that ask to come again say when") {
    CHECK(header_of(render_error(Busy("full", std::chrono::seconds(7)), ""), "Retry-After") == "7");
    CHECK(render_error(Busy("full", std::chrono::seconds(7)), "").status == 429);
    CHECK(header_of(render_error(Busy("full", std::chrono::seconds(0)), ""), "Retry-After") == "1");
    CHECK(header_of(render_error(Error(ErrorKind::unavailable, "gone"), ""), "Retry-After") == "5");
}

TEST_CASE("a method that a path does not take is 405 with those that it takes") {
    const auto reply = render_error(http::MethodNotAllowed("GET, POST"), "");
    CHECK(reply.status == 405);
    CHECK(header_of(reply, "Allow") == "GET, POST");
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds") {
    CHECK(time_or_null(0).is_null());
    CHECK(time_or_null(1'767'225'599'007) == "2025-12-31T23:59:59.007Z");
    CHECK(time_or_null(951'782'400'000) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("a page is checked and says its neighbours") {
    const auto page = parse_page(asking({{"page", "2"}, {"per_page", "10"}}));
    CHECK(page.offset() == 10);
    const auto body = json::parse(list_reply("apps", json::array({1, 2}), page, 12).body);
    CHECK(body["meta"]["pagination"] == json{{"current_page", 2},
                                             {"prev_page", 1},
                                             {"next_page", nullptr},
                                             {"total_pages", 2},
                                             {"total_count", 12}});
    for (const char* wrong : {"0", "-1", "x", "", "1x", "99999999999999999999"})
        CHECK_THROWS_AS(parse_page(asking({{"page", wrong}})), FieldError);
    CHECK_THROWS_AS(parse_page(asking({{"per_page", "101"}})), FieldError);
}

TEST_CASE("a page past the end of a list is empty") {
    const auto reply =
        list_reply("keys", json::array({1, 2, 3}), asking({{"page", "3"}, {"per_page", "2"}}));
    CHECK(json::parse(reply.body)["keys"].empty());
    CHECK(json::parse(reply.body)["meta"]["pagination"]["total_count"] == 3);
}

TEST_CASE("a bucket gives a minute's worth at once and refills with time") {
    RateLimit limit(60);
    const auto start = RateLimit::Clock::now();
    for (int i = 0; i < 60; ++i) CHECK(limit.take("ann", start).allowed);
    const auto refused = limit.take("ann", start);
    CHECK_FALSE(refused.allowed);
    CHECK(refused.retry_after == std::chrono::seconds(1));
    CHECK(refused.reset == std::chrono::seconds(60));
    CHECK(limit.take("bob", start).allowed);
    CHECK_FALSE(limit.look("ann", start + std::chrono::milliseconds(900)).allowed);
    CHECK(limit.take("ann", start + std::chrono::milliseconds(1100)).allowed);
    CHECK_FALSE(limit.take("ann", start + std::chrono::milliseconds(1200)).allowed);
    CHECK(limit.look("ann", start + std::chrono::hours(1)).remaining == 60);
}

TEST_CASE("a limit of 0 is none") {
    RateLimit limit(0);
    for (int i = 0; i < 10'000; ++i) CHECK(limit.take("ann").allowed);
}

TEST_CASE("an IPv6 network counts as one address, a mapped IPv4 address as itself") {
    CHECK(network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9"));
    CHECK(network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1"));
    CHECK(network_of("192.0.2.1") == "192.0.2.1");
    CHECK(network_of("::ffff:192.0.2.1") == "192.0.2.1");
}

TEST_CASE("a histogram counts what is at most each bound") {
    Histogram histogram({1, 5});
    for (const double value : {0.5, 1.0, 3.0, 100.0}) histogram.add(value);
    Exposition text;
    text.family("x_seconds", "histogram", "Words.");
    text.histogram({{"a", "b"}}, histogram);
    CHECK(text.text() == "# HELP x_seconds Words.\n# TYPE x_seconds histogram\n"
                         "x_seconds_bucket{a=\"b\",le=\"1\"} 2\n"
                         "x_seconds_bucket{a=\"b\",le=\"5\"} 3\n"
                         "x_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
                         "x_seconds_sum{a=\"b\"} 104.5\nx_seconds_count{a=\"b\"} 4\n");
}

TEST_CASE("a label's value cannot end its line") {
    Exposition text;
    text.family("x", "gauge", "Words.");
    text.sample({{"a", "q\"b\\s\nn"}}, 1);
    CHECK_THAT(text.text(), Contains("x{a=\"q\\\"b\\\\s\\nn\"} 1\n"));
}

TEST_CASE("builds are counted by state and door, with their waiting and their phases") {
    Metrics metrics;
    apps::Build build;
    build.state = apps::BuildState::published;
    build.door = "api";
    build.created = 1000;
    build.started = 3000;
    build.finished = 10'000;
    build.phases = {{"build", 6000}, {"export", 500}};
    metrics.count_build(build);
    metrics.count_build(build);
    const auto text = metrics.render(
        {.builds = {{"queued", 3}, {"running", 1}}, .store_errors = 2, .version = "1"});
    CHECK_THAT(text, Contains("slipway_builds_total{state=\"published\",door=\"api\"} 2\n"));
    CHECK_THAT(text, Contains("slipway_queue_wait_seconds_sum{door=\"api\"} 4\n"));
    CHECK_THAT(text, Contains("slipway_build_duration_seconds_sum{state=\"published\"} 14\n"));
    CHECK_THAT(text, Contains("slipway_build_phase_seconds_sum{phase=\"build\"} 12\n"));
    CHECK_THAT(text, Contains("slipway_queue_length 3\n"));
    CHECK_THAT(text, Contains("slipway_store_errors_total 2\n"));
    CHECK_THAT(text, Contains("process_resident_memory_bytes "));
}

TEST_CASE("a method that no route has is no label of its own") {
    Metrics metrics;
    metrics.count_request("PROPFIND", "", 404, std::chrono::microseconds(10));
    const auto text = metrics.render({});
    CHECK_THAT(text, !Contains("PROPFIND"));
    CHECK_THAT(text, Contains("slipway_http_requests_total{method=\"other\",route=\"\","
                              "status=\"404\"} 1\n"));
}
