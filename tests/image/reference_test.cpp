#include "image/reference.h"

#include "base/error.h"

#include <catch2/catch.hpp>

using image::Reference;

namespace {
const std::string digest = image::Digest::of("x").render();
}

TEST_CASE("a reference is read as every registry client reads it") {
    struct Row {
        std::string text, registry, repository, tag;
    };
    for (const Row& row : {
             Row{"debian", "docker.io", "library/debian", ""},
             Row{"debian:12", "docker.io", "library/debian", "12"},
             Row{"me/app", "docker.io", "me/app", ""},
             Row{"index.docker.io/me/app", "docker.io", "me/app", ""},
             Row{"docker.io/debian", "docker.io", "library/debian", ""},
             Row{"localhost/app", "localhost", "app", ""},
             Row{"localhost:5000/app:v1", "localhost:5000", "app", "v1"},
             Row{"127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c", ""},
             Row{"[::1]:5000/app", "[::1]:5000", "app", ""},
             Row{"example.org/a_b/c__d/e-f.g--h:1.0_x-Y", "example.org", "a_b/c__d/e-f.g--h",
                 "1.0_x-Y"},
         }) {
        INFO(row.text);
        const auto parsed = Reference::parse(row.text);
        CHECK(parsed.registry == row.registry);
        CHECK(parsed.repository == row.repository);
        CHECK(parsed.tag.value_or("") == row.tag);
        CHECK_FALSE(parsed.digest);
        CHECK(Reference::parse(parsed.render()).render() == parsed.render());
    }
}

TEST_CASE("a reference may have a tag and a digest") {
    const auto parsed = Reference::parse("example.org/app:v1@" + digest);
    CHECK(parsed.tag == "v1");
    CHECK(parsed.digest->render() == digest);
    CHECK(parsed.render() == "example.org/app:v1@" + digest);
    CHECK(parsed.with_tag("v2").render() == "example.org/app:v2");
    CHECK(parsed.with_digest(*parsed.digest).render() == "example.org/app@" + digest);
}

TEST_CASE("what is not a reference is refused with its reason") {
    for (const std::string& text : {
             std::string(),
             std::string("/app"),
             std::string("app/"),
             std::string("a//b"),
             std::string("example.org/App"),
             std::string("example.org/a..b"),
             std::string("example.org/../x"),
             std::string("example.org/-a"),
             std::string("example.org/a___b"),
             std::string("example.org/a:"),
             std::string("example.org/a:-v"),
             "example.org/a:" + std::string(129, 'v'),
             std::string("example.org/a@sha256:123"),
             std::string("example.org:99999/a"),
             std::string("exa mple.org/a"),
             std::string("-example.org/a"),
             std::string("example.org/a b"),
             std::string("example.org/a\n"),
             std::string("user:pass@example.org/a"),
             "example.org/" + std::string(260, 'a'),
             std::string("http://example.org/a"),
         }) {
        INFO(text);
        CHECK_THROWS_AS(Reference::parse(text), base::Error);
    }
    CHECK_THROWS_AS(Reference::parse("a").with_tag("no spaces"), base::Error);
}
