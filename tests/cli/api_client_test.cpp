#include "api_client.h"

#include "errors.h"
#include "fake_server.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <atomic>

using base::ErrorKind;
using base::json::Value;
using cli::api_path;
using cli::ApiClient;

namespace {

constexpr std::chrono::milliseconds at_once{1};

ApiClient client_of(const FakeServer& server, const std::string& token = "slw_secret",
                    const base::Stop& stop = {}) {
    cli::Endpoint endpoint{.url = "http://" + server.host()};
    endpoint.token = base::Secret(token);
    return {endpoint, "test", stop, at_once};
}

std::string json(int status, const Value& value, std::vector<std::string> headers = {}) {
    headers.push_back("Content-Type: application/json");
    return FakeServer::answer(status, headers, value.dump());
}

Value page(const Value& apps, const Value& next) {
    return {{"apps", apps}, {"meta", {{"pagination", {{"next_page", next}}}}}};
}

} // namespace

TEST_CASE("a request carries the token and asks for JSON") {
    FakeServer server([](const auto&) { return json(200, {{"app", {{"name", "hello"}}}}); });
    const auto client = client_of(server);
    const auto answer = client.get(api_path({"apps", "hello"}), {{"a", "x y"}, {"flag", ""}});
    CHECK(cli::member(answer, "app").at("name") == "hello");
    const auto request = server.requests().at(0);
    CHECK(request.target == "/v1/apps/hello?a=x%20y&flag");
    CHECK(request.header("authorization") == "Bearer slw_secret");
    CHECK(request.header("accept") == "application/json");
    CHECK(request.header("idempotency-key").empty());
    CHECK(request.header("user-agent") == "slipway/test");
}

TEST_CASE("a local socket is asked without a token") {
    const base::TempDir directory("slipway-cli-");
    const auto path = directory.path() / "control.sock";
    FakeServer server(
        [](const auto&) {
            return json(200, {{"apps", Value::array()}});
        },
        path.string());
    const ApiClient client({.socket = path}, "test", {}, at_once);
    CHECK(client.list(api_path({"apps"}), "apps").empty());
    CHECK(server.requests().at(0).header("authorization").empty());
}

TEST_CASE("parts of a path cannot change the path") {
    CHECK(api_path({"stacks", "builders/sample:1"}) == "/v1/stacks/builders%2Fsample%3A1");
    CHECK(api_path({"apps", "a?b#c"}) == "/v1/apps/a%3Fb%23c");
    for (const char* part : {"", ".", ".."})
        CHECK(error_of([&] { api_path({"apps", part}); }).kind() == ErrorKind::invalid_input);
}

TEST_CASE("all pages of a list are read, and no more than wanted") {
    FakeServer server([](const auto& request) {
        if (request.target.find("&page=3") != std::string::npos)
            return json(200, page({"e"}, nullptr));
        if (request.target.find("&page=2") != std::string::npos)
            return json(200, page({"c", "d"}, 3));
        return json(200, page({"a", "b"}, 2));
    });
    const auto client = client_of(server);
    CHECK(client.list(api_path({"apps"}), "apps") == Value({"a", "b", "c", "d", "e"}));
    CHECK(server.requests().size() == 3);
    CHECK(client.list(api_path({"apps"}), "apps", {}, 3) == Value({"a", "b", "c"}));
    CHECK(server.requests().size() == 5);
    CHECK(server.requests().at(3).target == "/v1/apps?per_page=3&page=1");
}

TEST_CASE("a list whose next page is an earlier one ends") {
    FakeServer server([](const auto&) { return json(200, page({"a"}, 1)); });
    CHECK(client_of(server).list(api_path({"apps"}), "apps").size() == 1);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("an error of the server keeps its kind, its sentence and its hint") {
    FakeServer server([](const auto&) {
        return json(404, {{"error",
                           {{"code", "not_found"},
                            {"message", "there is no app \"x\""},
                            {"hint", "slipway apps list"},
                            {"field", nullptr},
                            {"request_id", "r1"}}}});
    });
    const auto error = error_of([&] { client_of(server).get(api_path({"apps", "x"})); });
    CHECK(error.kind() == ErrorKind::not_found);
    CHECK(error.message() == "there is no app \"x\"");
    CHECK(error.hint() == "slipway apps list");
    CHECK(server.requests().size() == 1);
}

TEST_CASE("an error without a reason has the kind of its status and names the server") {
    const cli::Endpoint endpoint{.url = "https://host:443"};
    const std::pair<int, ErrorKind> kinds[] = {
        {400, ErrorKind::invalid_input},  {401, ErrorKind::unauthenticated},
        {403, ErrorKind::denied},         {404, ErrorKind::not_found},
        {409, ErrorKind::already_exists}, {413, ErrorKind::limit_exceeded},
        {422, ErrorKind::invalid_input},  {429, ErrorKind::limit_exceeded},
        {500, ErrorKind::internal},       {502, ErrorKind::unavailable},
        {503, ErrorKind::unavailable},    {504, ErrorKind::timed_out},
        {302, ErrorKind::internal}};
    for (const auto& [status, kind] : kinds) {
        const auto error = cli::error_of_answer(status, "<html>no</html>", endpoint);
        CHECK(error.kind() == kind);
        CHECK(error.message() ==
              "https://host:443 answered " + std::to_string(status) + " without a reason");
    }
}

TEST_CASE("a refused token says how to log in, an internal error which request it was") {
    const cli::Endpoint endpoint{.url = "https://host:443"};
    const auto refused = cli::error_of_answer(
        401, R"({"error": {"code": "unauthenticated", "message": "no", "hint": null}})", endpoint);
    CHECK(refused.hint() == "slipway login https://host:443");
    const auto internal = cli::error_of_answer(
        500, R"({"error": {"code": "internal", "message": "no", "request_id": "r7"}})", endpoint);
    CHECK(internal.hint() == "The request's id: r7");
}

TEST_CASE("what is no Slipway server is said to be none") {
    FakeServer server([](const auto&) { return FakeServer::answer(200, {}, "<html>hi</html>"); });
    const auto error = error_of([&] { client_of(server).get(api_path({"server"})); });
    CHECK(error.kind() == ErrorKind::unavailable);
    CHECK(error_of([] { cli::member(Value::array(), "app"); }).kind() == ErrorKind::unavailable);
}

TEST_CASE("a busy server is asked again after the time that it names") {
    std::atomic<int> calls = 0;
    FakeServer server([&](const auto&) {
        if (++calls < 3) return json(calls == 1 ? 429 : 503, Value::object(), {"Retry-After: 0"});
        return json(201, {{"app", {{"name", "hello"}}}});
    });
    client_of(server).post(api_path({"apps"}), {{"app", {{"name", "hello"}}}});
    const auto requests = server.requests();
    REQUIRE(requests.size() == 3);
    // One thing is started, however often it is asked for.
    CHECK(requests[0].header("idempotency-key").size() >= 16);
    CHECK(requests[0].header("idempotency-key") == requests[2].header("idempotency-key"));
    CHECK(requests[0].body == requests[2].body);
}

TEST_CASE("a server that stays busy is given up, and one that asks for too much patience at once") {
    FakeServer busy([](const auto&) {
        return json(429, {{"error", {{"code", "limit_exceeded"}, {"message", "too often"}}}},
                    {"Retry-After: 0"});
    });
    CHECK(error_of([&] { client_of(busy).get(api_path({"apps"})); }).kind() ==
          ErrorKind::limit_exceeded);
    CHECK(busy.requests().size() == 4);
    FakeServer closed([](const auto&) { return json(503, Value(), {"Retry-After: 3600"}); });
    CHECK(error_of([&] { client_of(closed).get(api_path({"apps"})); }).kind() ==
          ErrorKind::unavailable);
    CHECK(closed.requests().size() == 1);
}

TEST_CASE("Retry-After is read in seconds, anything else is our own patience") {
    using std::chrono::milliseconds;
    CHECK(cli::parse_retry_after("7", milliseconds(5)) == milliseconds(7000));
    for (const char* text : {"", "-1", "7x", "Fri, 07 Nov 2025 23:59:59 GMT"})
        CHECK(cli::parse_retry_after(text, milliseconds(5)) == milliseconds(5));
}

TEST_CASE("a lost connection is tried once more with the same key") {
    std::atomic<int> calls = 0;
    FakeServer server([&](const auto&) {
        return ++calls == 1 ? std::string() : json(201, {{"build", {{"id", "b1"}}}});
    });
    client_of(server).post(api_path({"apps", "hello", "builds"}), {{"build", Value::object()}});
    const auto requests = server.requests();
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].header("idempotency-key") == requests[1].header("idempotency-key"));

    FakeServer gone([](const auto&) { return std::string(); });
    CHECK_THROWS_AS(client_of(gone).get(api_path({"apps"})), cli::ConnectionLost);
    CHECK(gone.requests().size() == 2);
}

TEST_CASE("a file goes to the address that the server named, without the token") {
    const base::TempDir directory("slipway-cli-");
    const std::string bytes(300'000, 'x');
    base::write_file(directory.path() / "a.tar", bytes);
    std::atomic<int> calls = 0;
    FakeServer server(
        [&](const auto&) { return ++calls == 1 ? std::string() : FakeServer::answer(200); });
    client_of(server).put_file("https://elsewhere.example/v1/sources/s1?proof=p",
                               directory.path() / "a.tar");
    const auto requests = server.requests();
    REQUIRE(requests.size() == 2); // it was sent again, from the start
    CHECK(requests[1].method == "PUT");
    CHECK(requests[1].target == "/v1/sources/s1?proof=p");
    CHECK(requests[1].header("authorization").empty());
    CHECK(requests[1].body == bytes);
}

TEST_CASE("a stop ends the wait for a busy server") {
    base::StopSource source;
    FakeServer server([&](const auto&) {
        source.request();
        return json(503, Value(), {"Retry-After: 20"});
    });
    CHECK(error_of([&] { client_of(server, "t", source.stop()).get(api_path({"apps"})); }).kind() ==
          ErrorKind::cancelled);
}

TEST_CASE("a server's address is one name however it is written") {
    CHECK(cli::normalize_server_url("slipway.example.com") == "https://slipway.example.com:443");
    CHECK(cli::normalize_server_url("https://Slipway.Example.com/") ==
          "https://slipway.example.com:443");
    CHECK(cli::normalize_server_url("https://host:8443/slipway//") == "https://host:8443/slipway");
    CHECK(cli::normalize_server_url("http://127.0.0.1:8080") == "http://127.0.0.1:8080");
    for (const char* wrong : {"http://slipway.example.com", "ftp://x", "https://x/?a=b", ""})
        CHECK(error_of([&] { cli::normalize_server_url(wrong); }).kind() ==
              ErrorKind::invalid_input);
}
