#include "http/router.h"

#include <catch2/catch.hpp>

namespace {

// A request without a connection: what the router sees of it.
class FakeExchange : public http::Exchange {
  public:
    FakeExchange(std::string method, std::string path) {
        head_.method = std::move(method);
        head_.path = std::move(path);
    }
    const http::RequestHead& head() const override { return head_; }
    std::size_t read_body(char*, std::size_t) override { return 0; }
    void send(const http::Reply&) override {}
    void start(int, const http::HeaderList&) override {}
    void write(std::string_view) override {}
    void finish() override {}
    bool is_started() const override { return false; }
    Framing framing() const override { return Framing::plain; }
    std::unique_ptr<http::Connection> take() override { return nullptr; }
    std::unique_ptr<http::Connection> accept_websocket() override { return nullptr; }
    bool peer_left() const override { return false; }
    int fd() const override { return -1; }

  private:
    http::RequestHead head_;
};

// Which route answered, with its parameters: "2 app=x".
std::string route_of(const std::string& method, const std::string& path) {
    static std::string answered;
    static const http::Router router = [] {
        http::Router made;
        const auto add = [&](const char* verb, const char* pattern) {
            made.add(verb, pattern, [pattern](http::Exchange& exchange, const base::Stop&) {
                answered = pattern;
                for (const auto& [name, value] : exchange.parameters)
                    answered += " " + name + "=" + value;
            });
        };
        add("GET", "/");
        add("GET", "/v1/apps");
        add("POST", "/v1/apps");
        add("GET", "/v1/apps/{app}");
        add("DELETE", "/v1/apps/{app}/builds/{build}");
        add("GET", "/v1/apps/{app}/builds/{build}");
        add("GET", "/v1/apps/{app}/builds/last");
        return made;
    }();
    FakeExchange exchange(method, path);
    answered.clear();
    router.answer(exchange, {});
    return answered;
}

base::ErrorKind kind_of(const std::string& path) {
    try {
        route_of("GET", path);
    } catch (const base::Error& error) {
        return error.kind();
    }
    FAIL("it was answered");
    return {};
}

} // namespace

TEST_CASE("a path and a method find their handler") {
    CHECK(route_of("GET", "/") == "/");
    CHECK(route_of("GET", "/v1/apps") == "/v1/apps");
    CHECK(route_of("HEAD", "/v1/apps") == "/v1/apps");
    CHECK(route_of("POST", "/v1/apps") == "/v1/apps");
    CHECK(route_of("GET", "/v1/apps/x") == "/v1/apps/{app} app=x");
    CHECK(route_of("DELETE", "/v1/apps/x/builds/7") ==
          "/v1/apps/{app}/builds/{build} app=x build=7");
}

TEST_CASE("parameters are percent-decoded, literals match however they are written") {
    CHECK(route_of("GET", "/v1/apps/a%20b%c3%a9+c") == "/v1/apps/{app} app=a b\xc3\xa9+c");
    CHECK(route_of("GET", "/v1/%61pps") == "/v1/apps");
    CHECK(route_of("GET", "/v1/apps/%2561") == "/v1/apps/{app} app=%61"); // decoded once
}

TEST_CASE("a literal goes before a parameter") {
    CHECK(route_of("GET", "/v1/apps/x/builds/last") == "/v1/apps/{app}/builds/last app=x");
}

TEST_CASE("a segment that could be taken for a path is refused") {
    for (const std::string bad :
         {"a%2fb", "a%2Fb", "%00", "a%00b", "a%0ab", "%7f", "%", "%4", "%zz"}) {
        INFO(bad);
        CHECK(kind_of("/v1/apps/" + bad) == base::ErrorKind::invalid_input);
    }
}

TEST_CASE("what no route has is not found") {
    for (const std::string bad :
         {"/v1", "/v1/apps/", "/v1/apps//builds/1", "//v1/apps", "/V1/apps", "/v1/apps/..",
          "/v1/apps/%2e%2e", "/v1/apps/.", "*", "", "/v1/apps/x/builds/1/more"}) {
        INFO(bad);
        CHECK(kind_of(bad) == base::ErrorKind::not_found);
    }
}

TEST_CASE("another method is told which ones there are") {
    try {
        route_of("PUT", "/v1/apps");
        FAIL("it was answered");
    } catch (const http::MethodNotAllowed& error) {
        CHECK(error.allowed() == "GET, HEAD, POST");
    }
    // Of the route that the path has: the literal one knows no DELETE.
    CHECK_THROWS_AS(route_of("DELETE", "/v1/apps/x/builds/last"), http::MethodNotAllowed);
}

TEST_CASE("two handlers of one route are a fault of ours") {
    http::Router router;
    const auto nothing = [](http::Exchange&, const base::Stop&) {};
    router.add("GET", "/a/{one}", nothing);
    CHECK_THROWS_AS(router.add("GET", "/a/{two}", nothing), base::Error);
    CHECK_NOTHROW(router.add("POST", "/a/{two}", nothing));
    CHECK_NOTHROW(router.add("GET", "/a/b", nothing));
    CHECK(router.routes().size() == 3);
}
