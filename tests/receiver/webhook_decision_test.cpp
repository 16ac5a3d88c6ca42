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

TEST_CASE("a proposal is known by its ref") {
    CHECK(proposal_of("refs/pull/7/head") == "7");
    CHECK(proposal_of("refs/merge-requests/12/head") == "12");
    for (const char* ref : {"refs/heads/main", "refs/heads/refs/pull/7", "refs/pulls/7", ""})
        CHECK_FALSE(proposal_of(ref));
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
    CHECK_THAT(decided(result), Catch::Contains("do not wait"));
    with.ci_name = "";
    result.ci_name = "slipway/shop"; // what this server told the forge
    CHECK_THAT(decided(result, with), Catch::Contains("Slipway's own"));
}

TEST_CASE("CI is content when all that have reported are, each with its last run") {
    using enum CiVerdict;
    const auto run = [](const std::string& source, CiVerdict verdict, std::uint64_t number = 0) {
        return WebhookEvent{.verdict = verdict, .ci_source = source, .ci_number = number};
    };
    CHECK(combine({}) == none);
    CHECK(combine({run("test", success)}) == success);
    CHECK(combine({run("test", none)}) == none);
    CHECK(combine({run("test", success), run("lint", pending)}) == pending);
    CHECK(combine({run("test", success), run("lint", none)}) == success);
    CHECK(combine({run("test", success), run("lint", failure), run("slow", pending)}) == failure);
    // The newest delivery first: what came later of the same source replaces what was before.
    CHECK(combine({run("test", success), run("test", failure)}) == success);
    CHECK(combine({run("test", failure), run("test", success)}) == failure);
    CHECK(combine({run("test", none), run("test", pending), run("lint", success)}) == success);
    // Deliveries that overtook each other: the number of the run tells, and its end its beginning.
    CHECK(combine({run("test", failure, 1), run("test", success, 2)}) == success);
    CHECK(combine({run("test", pending, 2), run("test", success, 2)}) == success);
    CHECK(combine({run("test", pending, 2), run("test", success, 1)}) == pending);
}

TEST_CASE("results that say no source are told apart by their events and names") {
    const WebhookEvent good{.name = "status", .verdict = CiVerdict::success, .ci_name = "a"};
    auto bad = good;
    bad.ci_name = "b";
    bad.verdict = CiVerdict::failure;
    CHECK(combine({good, bad}) == CiVerdict::failure);
}

TEST_CASE("pings and what else there is start nothing") {
    CHECK(decided({.kind = EventKind::ping}) == "pong");
    CHECK(decided({.kind = EventKind::other, .name = "star"}) ==
          "the event \"star\" starts no build");
}
