#include "receiver/webhook.h"

#include "webhook_payload.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "skip.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

using namespace receiver;

namespace {

const std::string commit(40, 'a');
const std::string before(40, 'b');

WebhookEvent gitlab(const std::string& body, const WebhookHeaders& more = {}) {
    WebhookHeaders headers{{"x-gitlab-event", "Push Hook"}};
    headers.insert(more.begin(), more.end());
    return parse_webhook(Forge::gitlab, headers, body);
}

std::string percent_encoded(const std::string& text) {
    std::string encoded;
    for (const unsigned char c : text) {
        constexpr char digits[] = "0123456789ABCDEF";
        if (std::isalnum(c))
            encoded += static_cast<char>(c);
        else if (c == ' ')
            encoded += '+';
        else
            encoded += {'%', digits[c >> 4], digits[c & 15]};
    }
    return encoded;
}

// The same reader over the whole document, of which parse_webhook keeps a few members.
std::string of_whole_payload(const WebhookEvent& event, const std::string& body) {
    WebhookEvent whole;
    whole.name = event.name;
    whole.delivery = event.delivery;
    read_github(base::json::parse(body, "the body"), whole);
    return render_event(whole);
}

const std::string github_push =
    R"({"ref": "refs/heads/main", "before": ")" + before + R"(", "after": ")" + commit +
    R"(", "deleted": false, "head_commit": {"message": "one & two = 100%"},
        "repository": {"id": 186853002, "full_name": "Codertocat/Hello-World",
                       "clone_url": "https://evil.example/x.git"},
        "sender": {"login": "Codertocat"}})";

} // namespace

TEST_CASE("GitHub's push is read") {
    const auto event = parse_webhook(
        Forge::github, {{"x-github-event", "push"}, {"x-github-delivery", "72d3162e-cc78"}},
        github_push);
    CHECK(event.kind == EventKind::push);
    CHECK(event.delivery == "72d3162e-cc78");
    CHECK(event.repository == "Codertocat/Hello-World");
    CHECK(event.repository_id == "186853002");
    CHECK(event.ref == "refs/heads/main");
    CHECK(event.before == before);
    CHECK(event.after == commit);
    CHECK(event.message == "one & two = 100%");
    CHECK(event.sender == "Codertocat");
    CHECK_FALSE(event.deleted);
}

TEST_CASE("a form's payload is the same event") {
    const auto form = "x=1&payload=" + percent_encoded(github_push) + "&y=2";
    const auto event = parse_webhook(
        Forge::github,
        {{"x-github-event", "push"}, {"content-type", "application/x-www-form-urlencoded"}}, form);
    CHECK(event.message == "one & two = 100%");
    CHECK(event.after == commit);
    CHECK_THROWS_AS(parse_webhook(Forge::github,
                                  {{"content-type", "application/x-www-form-urlencoded"}},
                                  "payloads=1"),
                    base::Error);
}

TEST_CASE("a generic body is JSON even when curl calls it a form") {
    const auto event =
        parse_webhook(Forge::generic, {{"content-type", "application/x-www-form-urlencoded"}},
                      R"({"repo": "a/b", "ref": "refs/heads/main", "sha": ")" + commit + "\"}");
    CHECK(event.after == commit);
}

TEST_CASE("GitLab's push has its message in the list of commits") {
    const auto event =
        gitlab(R"({"object_kind": "push", "ref": "refs/heads/main", "before": ")" + before +
                   R"(", "after": ")" + commit + R"(", "user_username": "jsmith",
            "project": {"id": 15, "path_with_namespace": "mike/diaspora"},
            "commits": [{"id": "b6568d", "message": "other"},
                        {"id": ")" +
                   commit + R"(", "message": "this one [skip ci]"}]})",
               {{"idempotency-key", "f5e5f430-f57b"}, {"x-gitlab-event-uuid", "shared"}});
    CHECK(event.kind == EventKind::push);
    CHECK(event.repository == "mike/diaspora");
    CHECK(event.repository_id == "15");
    CHECK(event.message == "this one [skip ci]");
    CHECK(event.sender == "jsmith");
    CHECK(event.delivery == "f5e5f430-f57b");
}

TEST_CASE("two deliveries of one GitLab event, as hooks that call each other have it, differ") {
    const WebhookHeaders headers{{"x-gitlab-event-uuid", "shared"}};
    CHECK(gitlab("{}", headers).delivery != gitlab(R"({"a": 1})", headers).delivery);
    CHECK(gitlab("{}", headers).delivery == gitlab("{}", headers).delivery);
}

TEST_CASE("GitLab's merge requests and pipelines are read") {
    const auto request = gitlab(
        R"({"object_kind": "merge_request", "user": {"username": "root"},
            "project": {"id": 1, "path_with_namespace": "gitlab-org/gitlab-test"},
            "object_attributes": {"iid": 7, "action": "update", "oldrev": "e59094b8de0f2f91abbe",
                "title": "MS-Viewport", "target_branch": "main", "source_project_id": 14,
                "target_project_id": 14, "last_commit": {"id": ")" +
        commit + R"("}}})");
    CHECK(request.kind == EventKind::pull_request);
    CHECK(request.ref == "refs/merge-requests/7/head");
    CHECK(request.after == commit);
    CHECK(request.base_branch == "main");
    CHECK(request.brings_commits);
    CHECK_FALSE(request.from_fork);
    const auto pipeline = gitlab(
        R"({"object_kind": "pipeline", "project": {"id": 1, "path_with_namespace": "a/b"},
            "object_attributes": {"sha": ")" +
        commit + R"(", "status": "success"}})");
    CHECK(pipeline.kind == EventKind::ci_result);
    CHECK(pipeline.verdict == CiVerdict::success);
}

TEST_CASE("Gitea's push is read as GitHub's, under its own delivery id") {
    const auto event = parse_webhook(Forge::gitea,
                                     {{"x-github-event", "push"},
                                      {"x-github-delivery", "other"},
                                      {"x-gitea-event", "push"},
                                      {"x-gitea-delivery", "f6266f16-1bf3"}},
                                     github_push);
    CHECK(event.kind == EventKind::push);
    CHECK(event.delivery == "f6266f16-1bf3");
}

TEST_CASE("a pull request of a repository that is gone counts as a fork's") {
    const std::string body =
        R"({"action": "synchronized", "pull_request": {"number": 2, "title": "t",
            "head": {"sha": ")" +
        commit + R"(", "repo": null},
            "base": {"ref": "main", "repo": {"id": 1}}},
            "repository": {"id": 1, "full_name": "a/b"}})";
    const auto event = parse_webhook(Forge::gitea, {{"x-gitea-event", "pull_request"}}, body);
    CHECK(event.kind == EventKind::pull_request);
    CHECK(event.ref == "refs/pull/2/head");
    CHECK(event.brings_commits);
    CHECK(event.from_fork);
}

TEST_CASE("the generic webhook needs repo, ref and sha; who sends no id gets one of the body") {
    const auto body = R"({"repo": "a/b", "ref": "refs/heads/main", "sha": ")" + commit + "\"}";
    const auto event = parse_webhook(Forge::generic, {}, body);
    CHECK(event.kind == EventKind::push);
    CHECK(event.delivery == "sha256-" + base::sha256_hex(body));
    CHECK_THROWS_WITH(parse_webhook(Forge::generic, {}, R"({"repo": "a/b", "sha": "1"})"),
                      Catch::Contains("\"ref\""));
    CHECK(parse_webhook(Forge::generic, {{"x-event", "ping"}}, "{}").kind == EventKind::ping);
}

TEST_CASE("a delivery's id that could not stand in a URL is replaced by its hash") {
    for (const std::string& id : {std::string("../../etc"), std::string("a b"), std::string("a\nb"),
                                  std::string(5000, 'x'), std::string("\xff")})
        CHECK(parse_webhook(Forge::generic, {{"x-event", "ping"}, {"x-delivery", id}}, "{}")
                  .delivery == "sha256-" + base::sha256_hex(id));
}

TEST_CASE("a forge that calls another forge's webhook hears which one it should have been") {
    CHECK_THROWS_WITH(
        parse_webhook(Forge::github, {{"x-github-event", "push"}, {"x-gitea-event", "push"}}, "{}"),
        Catch::Contains("gitea"));
}

TEST_CASE("hostile bodies are the sender's fault") {
    const std::vector<std::string> bodies{
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        std::string(1 << 20, '['),
        R"({"ref": "\xff"})",
        "{\"ref\": \"\xff\xfe\"}",
        R"({"ref": 5, "after": 6})",
        R"({"repository": {"id": 1e999}})",
        R"({"ref": "refs/heads/main", "after": null})",
        std::string("{\"ref\": \"a\0b\"}", 14),
        github_push + '\0',
        github_push.substr(0, github_push.size() - 1) + '\0',
    };
    for (const auto& body : bodies) try {
            parse_webhook(Forge::github, {{"x-github-event", "push"}}, body);
            FAIL("accepted: " << body.substr(0, 50));
        } catch (const base::Error& error) {
            CHECK(error.kind() == base::ErrorKind::invalid_input);
        }
}

TEST_CASE("numbers that no repository has leave it without an id, and never another's") {
    for (const char* id : {"123456789012345678901234567890", "-1", "1.5", "true", "{}", "[1]"}) {
        const auto body =
            R"({"ref": "r", "after": "c", "repository": {"full_name": "a/b", "id": )" +
            std::string(id) + "}}";
        CHECK(parse_webhook(Forge::github, {{"x-github-event", "push"}}, body).repository_id == "");
    }
}

TEST_CASE("a message is cut between characters") {
    std::string message;
    while (message.size() < 6000) message += "\u00e9\u20ac";
    const auto body =
        R"({"ref": "r", "after": "c", "head_commit": {"message": ")" + message + "\"}}";
    const auto event = parse_webhook(Forge::github, {{"x-github-event", "push"}}, body);
    CHECK(event.message.size() <= 4000);
    CHECK(read_event(render_event(event)).message == event.message);
}

TEST_CASE("each result of CI says whose it is, of which run, and how that stands") {
    const auto result = [](const std::string& name, const std::string& body) {
        return parse_webhook(Forge::github, {{"x-github-event", name}}, body);
    };
    const auto run = result("workflow_run", R"({"action": "in_progress", "workflow_run": {
        "id": 30433642, "workflow_id": 159038, "run_attempt": 2, "event": "push", "name": "Build",
        "conclusion": null}})");
    CHECK(run.ci_source == "workflow_run 159038 push");
    CHECK(run.ci_number == 30433642002);
    CHECK(run.verdict == CiVerdict::pending);
    const auto suite = result("check_suite", R"({"action": "completed", "check_suite": {
        "id": 118578147, "conclusion": "skipped", "app": {"name": "Octocoders"}}})");
    CHECK(suite.ci_source == "check_suite 118578147");
    CHECK(suite.ci_name == "Octocoders");
    CHECK(suite.verdict == CiVerdict::none);
    const auto status = result("status", R"({"id": 6805126730, "state": "pending",
        "context": "ci/test"})");
    CHECK(status.ci_source == "status ci/test");
    CHECK(status.ci_number == 6805126730);
    CHECK(status.verdict == CiVerdict::pending);
    CHECK(result("status", R"({"id": -1, "state": "success"})").ci_number == 0);
    CHECK(result("status", R"({"id": 18446744073709551615})").ci_number == 0);
    const auto pipeline = gitlab(R"({"object_kind": "pipeline", "object_attributes": {
        "id": 31, "source": "push", "status": "running"}})");
    CHECK(pipeline.ci_source == "pipeline push");
    CHECK(pipeline.ci_number == 31);
    CHECK(pipeline.verdict == CiVerdict::pending);
}

TEST_CASE("what the ledger keeps of an event is the whole event") {
    WebhookEvent event{.kind = EventKind::pull_request,
                       .name = "pull_request",
                       .delivery = "d",
                       .repository = "a/b",
                       .repository_id = "1",
                       .ref = "refs/pull/1/head",
                       .before = before,
                       .after = commit,
                       .deleted = true,
                       .message = "m",
                       .sender = "s",
                       .brings_commits = true,
                       .from_fork = true,
                       .base_branch = "main",
                       .verdict = CiVerdict::failure,
                       .ci_name = "c",
                       .ci_source = "status c",
                       .ci_number = 1ull << 45};
    CHECK(render_event(read_event(render_event(event))) == render_event(event));
    CHECK(read_event(render_event(event)).from_fork);
    for (const auto verdict :
         {CiVerdict::none, CiVerdict::success, CiVerdict::failure, CiVerdict::pending}) {
        event.verdict = verdict;
        CHECK(read_event(render_event(event)).verdict == verdict);
    }
}

// ---------------------------------------------------------------- every recorded event of GitHub

TEST_CASE("of all webhooks that GitHub's own clients have recorded, only the pushes that match "
          "start a build") {
    const auto fetched =
        base::run({.argv = {SLIPWAY_SOURCE_DIR "/tests/support/webhook_examples.sh",
                            SLIPWAY_BIN_DIR "/../scenarios"},
                   .environment = base::minimal_environment()},
                  {});
    if (must_skip(fetched.status.code == 77, base::trim(fetched.error))) return;
    REQUIRE(fetched.status.ok());
    // Counted by hand in this version: branch pushes of master that delete nothing.
    const std::map<std::string, std::pair<int, int>> hosts{
        {"api.github.com", {329, 2}}, {"ghes-31", {49, 0}},  {"ghes-32", {49, 0}},
        {"ghes-33", {50, 0}},         {"ghes-34", {124, 0}}, {"ghes-35", {125, 0}}};
    for (const auto& [host, expected] : hosts) {
        const auto file = std::filesystem::path(base::trim(fetched.output)) / host / "index.json";
        int seen = 0, built = 0;
        for (const auto& entry : nlohmann::json::parse(base::read_file(file)))
            for (const auto& example : entry["examples"]) {
                ++seen;
                const auto body = example.dump();
                const WebhookHeaders headers{
                    {"x-github-event", entry["name"].get<std::string>()},
                    {"x-github-delivery", std::to_string(seen)},
                    {"x-hub-signature-256", "sha256=" + base::hmac_sha256_hex("secret", body)}};
                REQUIRE(verify(Forge::github, headers, body, "secret"));
                const auto event = parse_webhook(Forge::github, headers, body);
                CHECK(render_event(event) == of_whole_payload(event, body));
                const auto decision =
                    decide(event, {.repository = "Codertocat/Hello-World", .branch = "master"});
                if (const auto* build = std::get_if<BuildCommit>(&decision)) {
                    ++built;
                    CHECK(event.name == "push");
                    CHECK(build->commit == "6113728f27ae82c7b1a177c8d03f9e96e0adf246");
                } else {
                    CHECK(std::get<IgnoreEvent>(decision).reason != "");
                }
            }
        CHECK(seen == expected.first);
        CHECK(built == expected.second);
    }
}
