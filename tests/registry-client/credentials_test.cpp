// What stolen or misled credentials cost others.
#include "faults.h"

using namespace faults;

TEST_CASE("a token is fetched once for each scope and again when it is refused") {
    base::Guarded<int> issued(0), refusals(0);
    FakeServer tokens([&](const Request&) {
        const int n = ++*issued.lock();
        return answer(200, {}, "{\"access_token\":\"t" + std::to_string(n) + "\"}");
    });
    FakeServer server([&](const Request& request) {
        const auto sent = request.header("authorization");
        if (sent.empty()) return token_challenge(tokens.url("/token?old=1"));
        if (sent == "Bearer t1" && ++*refusals.lock() == 3)
            return token_challenge(tokens.url("/token?old=1"));
        return answer(200, {}, manifest);
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    for (int i = 0; i < 5; ++i) CHECK(store->read_manifest("v1", {}));
    const auto asked = tokens.requests();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].target == "/token?old=1&service=s&scope=repository%3Aa%3Apull");
    CHECK(asked[0].header("authorization") == basic); // the same host, and plain HTTP either way
    CHECK(server.requests().size() == 7);
}

TEST_CASE("a token that does not help is a refusal, not a loop") {
    FakeServer tokens([](const Request&) { return answer(200, {}, R"({"token":"useless"})"); });
    FakeServer server([&](const Request&) { return token_challenge(tokens.url()); });
    const auto store = registry::open_repository(server.host(), "a", quick(5));
    CHECK(error_of([&] { store->read_manifest("v1", {}); }).kind() ==
          base::ErrorKind::unauthenticated);
    CHECK(server.requests().size() == 2);
    CHECK(tokens.requests().size() == 1);
}

TEST_CASE("credentials go to no token server on another host") {
    FakeServer elsewhere([](const Request&) { return answer(200, {}, R"({"token":"T"})"); },
                         "127.0.0.2");
    FakeServer server([&](const Request&) { return token_challenge(elsewhere.url()); });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(error_of([&] { store->read_manifest("v1", {}); }).kind() == base::ErrorKind::denied);
    CHECK(elsewhere.requests().empty());
}

TEST_CASE("a token server that redirects, floods or talks nonsense gives no token") {
    for (const std::string& reply :
         {answer(302, {"Location: http://127.0.0.2/"}, ""),
          answer(200, {}, "{\"token\":\"" + std::string(100000, 'x') + "\"}"),
          answer(200, {}, "[]"), answer(200, {}, "{}"), answer(200, {}, "<html>"),
          answer(404, {}, "")}) {
        INFO(reply.substr(0, 60));
        FakeServer tokens([&](const Request&) { return reply; });
        FakeServer server([&](const Request&) { return token_challenge(tokens.url()); });
        const auto store = registry::open_repository(server.host(), "a", quick(1));
        CHECK_THROWS_AS(store->read_manifest("v1", {}), base::Error);
        CHECK(tokens.requests().size() == 1);
    }
}

TEST_CASE("a name and a password are sent only to a registry that asks for them") {
    FakeServer server([](const Request& request) {
        return request.header("authorization") == basic
                   ? answer(200, {}, manifest)
                   : answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(store->read_manifest("v1", {}));
    CHECK(store->read_manifest("v1", {}));
    CHECK(server.requests().at(0).header("authorization").empty());
    CHECK(server.requests().size() == 3);
    auto wrong = with_login(server.host());
    wrong.credentials[server.host()].password = base::Secret("wrong");
    const auto other = registry::open_repository(server.host(), "a", wrong);
    const auto error = error_of([&] { other->read_manifest("v1", {}); });
    CHECK(error.kind() == base::ErrorKind::unauthenticated);
    CHECK(error.describe().find("wrong") == std::string::npos);
    CHECK(server.requests().size() == 5);
}

TEST_CASE("a redirect to another host carries no credentials") {
    FakeServer objects([](const Request&) { return answer(200, {}, bytes); }, "127.0.0.2");
    FakeServer server([&](const Request& request) {
        if (request.header("authorization").empty())
            return answer(401, {"WWW-Authenticate: Basic realm=\"x\""}, "");
        return answer(307, {"Location: " + objects.url("/signed?key=1")}, "");
    });
    const auto store = registry::open_repository(server.host(), "a", with_login(server.host()));
    CHECK(read(*store) == bytes);
    REQUIRE(objects.requests().size() == 1);
    CHECK(objects.requests()[0].header("authorization").empty());
    CHECK(objects.requests()[0].target == "/signed?key=1");
}
