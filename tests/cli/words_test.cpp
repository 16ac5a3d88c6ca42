#include "words.h"

#include <catch2/catch.hpp>

namespace {

std::vector<std::string> split(std::vector<std::string> words) {
    return cli::split_alias(std::move(words), [](const std::string& word) {
        return word == "config" || word == "apps";
    });
}

using Words = std::vector<std::string>;

} // namespace

TEST_CASE("noun:verb is noun verb") {
    CHECK(split({"config:set", "-a", "hello", "A=b:c"}) ==
          Words{"config", "set", "-a", "hello", "A=b:c"});
    CHECK(split({"--json", "apps:list"}) == Words{"--json", "apps", "list"});
}

TEST_CASE("words behind the command stay as they are") {
    CHECK(split({"apps", "create", "config:set"}) == Words{"apps", "create", "config:set"});
    CHECK(split({"--server", "https://host:8443", "apps:info", "x"}) ==
          Words{"--server", "https://host:8443", "apps", "info", "x"});
    CHECK(split({"nonsense:verb"}) == Words{"nonsense:verb"});
    CHECK(split({}).empty());
}
