#include "receiver/webhook.h"

#include <catch2/catch.hpp>

using namespace receiver;

namespace {

const std::string commit(40, 'a');
const WebhookSettings settings{.repository = "owner/repo", .repository_id = "7"};

WebhookEvent push(const std::string& ref = "refs/heads/main") {
    return {.kind = EventKind::push,
            .repository = "owner/repo",
            .repository_id = "7",
            .ref = ref,
            .after = commit};
}

WebhookEvent pull_request() {
    auto event = push("refs/pull/3/head");
    event.kind = EventKind::pull_request;
    event.brings_commits = true;
    event.base_branch = "main";
    return event;
}

// The commit that is built, or why none is.
std::string decided(const WebhookEvent& event, const WebhookSettings& with = settings) {
    const auto decision = decide(event, with);
    if (const auto* build = std::get_if<BuildCommit>(&decision))
        return "build " + build->ref + " " + build->commit;
    if (const auto* wait = std::get_if<WaitForCi>(&decision)) return "wait " + wait->commit;
    if (const auto* result = std::get_if<CiResult>(&decision))
        return (result->verdict == CiVerdict::success ? "good " : "bad ") + result->commit;
    return std::get<IgnoreEvent>(decision).reason;
}

} // namespace

TEST_CASE("a push to the branch is built") {
    CHECK(decided(push()) == "build refs/heads/main " + commit);
}

TEST_CASE("other refs are answered with the reason") {
    CHECK(decided(push("refs/heads/feature")) == "the branch feature is not built, main is");
    CHECK(decided(push("refs/heads/main2")) == "the branch main2 is not built, main is");
    CHECK(decided(push("refs/tags/v1")) == "tags are not built: refs/tags/v1");
    CHECK(decided(push("main")) == "main is not a branch");
    auto deleted = push();
    deleted.deleted = true;
    CHECK(decided(deleted) == "refs/heads/main was deleted");
}

TEST_CASE("control characters of a ref do not reach the answer") {
    CHECK(decided(push("refs/heads/\x1b[2J")).find('\x1b') == std::string::npos);
}

TEST_CASE("a payload without a whole commit is not built") {
    for (const auto& id : {std::string("main"), std::string(39, 'a'), std::string(40, 'A'),
                           "--upload-pack=x" + std::string(25, 'a')}) {
        auto event = push();
        event.after = id;
        CHECK(decided(event) == "the payload names no commit");
    }
    auto sha256 = push();
    sha256.after = std::string(64, 'a');
    CHECK_THAT(decided(sha256), Catch::Contains("SHA-256"));
}

TEST_CASE("marks in the message skip a build, unless the app's owner does not want that") {
    for (const char* mark :
         {"[skip ci]", "text [CI SKIP]", "[no ci]\n\nmore", "x [skip slipway]"}) {
        auto event = push();
        event.message = mark;
        CHECK_THAT(decided(event), Catch::StartsWith("the message says ["));
        auto with = settings;
        with.skip_marks = false;
        CHECK_THAT(decided(event, with), Catch::StartsWith("build"));
    }
    auto event = push();
    event.message = "skip ci is a phrase";
    CHECK_THAT(decided(event), Catch::StartsWith("build"));
}

TEST_CASE("once the repository's number is known a name alone does not do") {
    auto event = push();
    event.repository_id = "8";
    CHECK_THAT(decided(event), Catch::Contains("another repository"));
    event.repository_id = "7";
    event.repository = "owner/renamed";
    CHECK_THAT(decided(event), Catch::StartsWith("build"));
}

TEST_CASE("before that, the name is compared without case, as forges do") {
    auto with = settings;
    with.repository_id = "";
    auto event = push();
    event.repository = "Owner/Repo";
    CHECK_THAT(decided(event, with), Catch::StartsWith("build"));
    event.repository = "owner/repo2";
    CHECK_THAT(decided(event, with), Catch::Contains("another repository"));
}

TEST_CASE("pull requests are an option, and those of forks another one") {
    CHECK(decided(pull_request()) == "pull requests are not built for this app");
    auto with = settings;
    with.pull_requests = true;
    CHECK(decided(pull_request(), with) == "build refs/pull/3/head " + commit);
    auto fork = pull_request();
    fork.from_fork = true;
    CHECK_THAT(decided(fork, with), Catch::Contains("comes from a fork"));
    with.forks = true;
    CHECK(decided(fork, with) == "build refs/pull/3/head " + commit);
}

TEST_CASE("a pull request that brings nothing new, or to another branch, is not built") {
    auto with = settings;
    with.pull_requests = true;
    auto labeled = pull_request();
    labeled.brings_commits = false;
    CHECK_THAT(decided(labeled, with), Catch::Contains("nothing"));
    auto other = pull_request();
    other.base_branch = "next";
    CHECK_THAT(decided(other, with), Catch::Contains("not for the branch main"));
}

TEST_CASE("with the option a push waits for the word of CI") {
    auto with = settings;
    with.wait_for_ci = true;
    CHECK(decided(push(), with) == "wait " + commit);
    auto result = push();
    result.kind = EventKind::ci_result;
    result.verdict = CiVerdict::success;
    result.ci_name = "test";
    CHECK(decided(result, with) == "good " + commit);
    with.ci_name = "lint";
    CHECK_THAT(decided(result, with), Catch::Contains("lint alone"));
    with.ci_name = "test";
    result.verdict = CiVerdict::failure;
    CHECK(decided(result, with) == "bad " + commit);
    result.verdict = CiVerdict::none;
    CHECK_THAT(decided(result, with), Catch::Contains("not come to an end"));
    CHECK_THAT(decided(result), Catch::Contains("do not wait"));
}

TEST_CASE("pings and what else there is start nothing") {
    CHECK(decided({.kind = EventKind::ping}) == "pong");
    CHECK(decided({.kind = EventKind::other, .name = "star"}) ==
          "the event \"star\" starts no build");
}
