// What a registry and its token server say in headers and short texts: understood or refused, never
// a crash, never without an end. Run long and with sanitizers: SLIPWAY_FUZZ_RUNS.
#include "answer.h"
#include "base64.h"
#include "challenge.h"
#include "headers.h"
#include "token_answer.h"

#include "registry/repository.h"

#include "mutations.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <cstdlib>

namespace {

template <class Parse>
void survives(const std::string& text, Parse&& parse) {
    try {
        parse();
    } catch (const base::Error&) {
    } catch (const std::exception& other) {
        FAIL(other.what() << "\nof " << text);
    }
}

} // namespace

TEST_CASE("challenges of any kind are read to their end") {
    Mutations mutations(
        {R"(Bearer realm="https://auth.example/token",service="s",scope="repository:a:pull,push")",
         R"(Basic realm="a, b", Bearer realm=x,error="invalid_token")", "Negotiate, Basic",
         R"(bearer   realm = "x\"y" ,, service=)"});
    for (int i = Mutations::runs(50'000); i > 0; --i) {
        const auto text = mutations.next();
        for (const auto& challenge : registry::parse_challenges(text)) {
            CHECK_FALSE(challenge.scheme.empty());
            for (const auto& [name, value] : challenge.parameters) CHECK(value.size() <= 8192);
        }
    }
}

TEST_CASE("links, ranges and times of any kind are read or left") {
    Mutations mutations({R"(</v2/a/tags/list?last=b&n=2>; rel="next")", R"(<x>; rel=next, <y>)",
                         R"(</a>; title="b, c\" d"; rel="prev next")", "0-99", "bytes=0-99", "120",
                         "Fri, 31 Dec 1999 23:59:59 GMT"});
    for (int i = Mutations::runs(50'000); i > 0; --i) {
        const auto text = mutations.next();
        if (const auto next = registry::next_link(text)) CHECK(next->size() < text.size());
        registry::received_bytes(text);
        http::Response response;
        response.headers.emplace("retry-after", text);
        if (const auto wait = registry::retry_after(response)) {
            CHECK(*wait >= std::chrono::seconds(0));
            CHECK(*wait <= std::chrono::seconds(300));
        }
    }
}

TEST_CASE("a registry's refusal is one short printable line, whatever it said") {
    Mutations mutations(
        {R"({"errors":[{"code":"DENIED","message":"no","detail":[{"Type":"repository"}]}]})",
         R"({"errors":{}})", "<html><body>502\x1b[2J</body></html>", ""});
    for (int i = Mutations::runs(20'000); i > 0; --i) {
        http::Response response;
        response.status = 403;
        response.body = mutations.next();
        const auto line = registry::describe(response);
        CHECK(line.size() < 2'000);
        for (const char c : line) CHECK((c == '\t' || static_cast<unsigned char>(c) >= 0x20));
    }
}

TEST_CASE("answers of token servers are understood or refused") {
    Mutations mutations({R"({"token":"abc","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"})",
                         R"({"access_token":"abc","refresh_token":"d","scope":"x"})"});
    for (int i = Mutations::runs(20'000); i > 0; --i) {
        const auto text = mutations.next_json();
        survives(text, [&] {
            const auto answer = registry::parse_token_answer(text);
            CHECK_FALSE(answer.token.empty());
            CHECK(answer.token.find_first_of("\r\n") == answer.token.npos);
            CHECK(answer.lifetime >= std::chrono::seconds(60));
            CHECK(answer.lifetime <= std::chrono::hours(24));
        });
    }
}

TEST_CASE("Docker's configuration files are understood or refused") {
    const base::TempDir directory("docker");
    ::setenv("DOCKER_CONFIG", directory.path().c_str(), 1);
    Mutations mutations(
        {R"({"auths":{"https://r.example/v1/":{"auth":"bWU6cGFzcw=="},"r.example":{"username":"u","password":"p"},"x":{"identitytoken":"t"}},"HttpHeaders":{"a":"b"}})",
         R"({"auths":{},"currentContext":"x"})"});
    for (int i = Mutations::runs(20'000) / 10; i > 0; --i) {
        const auto text = mutations.next_json();
        base::write_file(directory.path() / "config.json", text);
        survives(text, [&] { registry::read_docker_credentials("r.example"); });
    }
    ::unsetenv("DOCKER_CONFIG");
}

TEST_CASE("base64 is read back as it was written, and of anything else nothing is made up") {
    Mutations mutations({"bWU6cGFzcw==", "AAAA", "", "/+8="});
    for (int i = Mutations::runs(20'000); i > 0; --i) {
        const auto text = mutations.next();
        CHECK(registry::decode_base64(registry::encode_base64(text)) == text);
        if (const auto bytes = registry::decode_base64(text)) CHECK(bytes->size() <= text.size());
    }
}
