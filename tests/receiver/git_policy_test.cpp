#include "receiver/git_policy.h"

#include <catch2/catch.hpp>

using namespace receiver;

namespace {

const std::string zero(40, '0');
const std::string one(40, '1');
const std::string two(40, '2');

std::string refusal(const std::vector<RefUpdate>& updates, const PushSettings& settings = {}) {
    const auto decision = decide_push(updates, settings);
    const auto* refuse = std::get_if<Refuse>(&decision);
    if (!refuse) return {};
    std::string text;
    for (const auto& line : refuse->lines) {
        CHECK(line.rfind(" !     ", 0) == 0);
        text += line + "\n";
    }
    return text;
}

using Catch::Matchers::Contains;

} // namespace

TEST_CASE("one update of a deploy branch is a deploy, new, moved or forced") {
    for (const char* ref : {"refs/heads/main", "refs/heads/master"})
        for (const auto& old : {zero, one}) {
            const auto decision = decide_push({{old, two, ref}});
            REQUIRE(std::holds_alternative<Deploy>(decision));
            CHECK(std::get<Deploy>(decision).ref == ref);
            CHECK(std::get<Deploy>(decision).commit == two);
        }
}

TEST_CASE("another branch is refused with the refspec that would work") {
    CHECK(refusal({{zero, one, "refs/heads/feature/x"}}) ==
          " !     Only main and master are built here, not feature/x.\n"
          " !     To deploy this branch:\n"
          " !         git push slipway feature/x:main\n");
    CHECK_THAT(refusal({{zero, one, "refs/heads/MAIN"}}), Contains("MAIN:main"));
    CHECK_THAT(refusal({{zero, one, "refs/heads/main2"}}), Contains("main2:main"));
    CHECK_THAT(
        refusal({{zero, one, "refs/heads/x"}}, {.deploy_branches = {"live"}, .remote = "up"}),
        Contains("git push up x:live"));
}

TEST_CASE("a tag, and a ref of another kind, are refused with the refspec that would work") {
    CHECK_THAT(refusal({{zero, one, "refs/tags/v1.0"}}),
               Contains("git push slipway 'v1.0^{commit}:refs/heads/main'"));
    CHECK_THAT(refusal({{zero, one, "refs/notes/main"}}),
               Contains("refs/notes/main") && Contains("git push slipway HEAD:refs/heads/main"));
}

TEST_CASE("a deploy branch cannot be deleted") {
    CHECK_THAT(refusal({{one, zero, "refs/heads/main"}}), Contains("cannot be deleted"));
    CHECK_THAT(refusal({{one, zero, "refs/heads/feature"}}), Contains("no refs/heads/feature"));
}

TEST_CASE("several refs make a refusal that names those in the way") {
    CHECK_THAT(refusal({{zero, one, "refs/heads/main"}, {zero, one, "refs/heads/master"}}),
               Contains("One push makes one build") &&
                   Contains("refs/heads/main and refs/heads/master"));
    const auto mixed = refusal(
        {{zero, one, "refs/heads/main"}, {zero, one, "refs/tags/v1"}, {zero, one, "refs/heads/x"}});
    CHECK_THAT(mixed, Contains("also holds refs/tags/v1 and refs/heads/x") &&
                          Contains("git push slipway main\n"));
    // The order must not matter: a check of the first ref alone let others through elsewhere.
    CHECK_FALSE(refusal({{zero, one, "refs/heads/x"}, {zero, one, "refs/heads/main"}}).empty());
    CHECK_FALSE(refusal({{one, zero, "refs/heads/x"}, {zero, one, "refs/heads/main"}}).empty());
    CHECK_THAT(refusal({{zero, one, "refs/heads/x"}, {zero, one, "refs/heads/y"}}),
               Contains("not refs/heads/x and refs/heads/y"));
    CHECK_FALSE(refusal({}).empty());
}

TEST_CASE("a long list of refs is cut short") {
    std::vector<RefUpdate> updates;
    for (int i = 0; i < 400; ++i) updates.push_back({zero, one, "refs/tags/" + std::to_string(i)});
    CHECK_THAT(refusal(updates), Contains("refs/tags/4 and 395 more"));
    CHECK(refusal(updates).size() < 500);
}

TEST_CASE("hostile names are shown harmlessly and never put into a command") {
    const auto escaped = refusal({{zero, one, "refs/heads/\x1b]52;c;x\x07"}});
    CHECK(escaped.find('\x1b') == std::string::npos);
    CHECK_THAT(escaped, Contains("^[]52") && Contains("git push slipway HEAD:refs/heads/main"));
    for (const char* name : {"a;id", "$(id)", "`id`", "a'b", "--upload-pack=x", "a b"}) {
        CAPTURE(name);
        CHECK_THAT(refusal({{zero, one, std::string("refs/heads/") + name}}),
                   Contains("git push slipway HEAD:refs/heads/main"));
    }
    CHECK(refusal({{zero, one, "refs/heads/" + std::string(5000, 'x')}}).size() < 500);
}

TEST_CASE("a line of the hook's input is taken or left, never guessed") {
    const auto update = parse_ref_update(zero + " " + one + " refs/heads/a b");
    REQUIRE(update);
    CHECK(update->old_id == zero);
    CHECK(update->new_id == one);
    CHECK(update->ref == "refs/heads/a b");
    const std::string long_id(64, 'a');
    CHECK(parse_ref_update(long_id + " " + long_id + " refs/heads/main"));
    for (const auto& line :
         {std::string(), one, one + " " + two, one + " " + two + " ", one + " " + two + " main",
          one + " " + long_id + " refs/heads/x", std::string(40, 'A') + " " + one + " refs/x",
          "-" + one.substr(1) + " " + two + " refs/heads/x",
          one + " " + two + " refs/heads/x\nrefs/heads/y"}) {
        CAPTURE(line);
        CHECK_FALSE(parse_ref_update(line));
    }
}
