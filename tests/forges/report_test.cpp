#include "forges/report.h"

#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using base::json::Value;
using forges::Forge;
using forges::Progress;
using forges::Report;

namespace {

const std::string commit(40, 'c');

Forge forge(const std::string& kind) {
    return {kind, "https://forge.example/api", "team/shop front", base::Secret("t0ken")};
}

Report report(Progress progress) {
    return {.build = "b123",
            .app = "shop",
            .commit = commit,
            .ref = "refs/heads/main",
            .progress = progress,
            .sentence = "Building",
            .log_url = "https://slipway.example/log",
            .digest = {},
            .environment = "production"};
}

bool has(const http::Request& request, const std::string& header) {
    return std::find(request.headers.begin(), request.headers.end(), header) !=
           request.headers.end();
}

} // namespace

TEST_CASE("a commit status goes to the commit of the repository, in the forge's own words") {
    const auto github = forges::render_status(forge("github"), report(Progress::running));
    CHECK(github.method == "POST");
    CHECK(github.url == "https://forge.example/api/repos/team/shop%20front/statuses/" + commit);
    CHECK(has(github, "Authorization: Bearer t0ken"));
    CHECK(Value::parse(github.body) == Value{{"state", "pending"},
                                             {"context", "slipway/shop"},
                                             {"target_url", "https://slipway.example/log"},
                                             {"description", "Building"}});

    const auto gitea = forges::render_status(forge("gitea"), report(Progress::error));
    CHECK(gitea.url == github.url);
    CHECK(has(gitea, "Authorization: token t0ken"));
    CHECK(Value::parse(gitea.body).at("state") == "error");

    const auto gitlab = forges::render_status(forge("gitlab"), report(Progress::running));
    CHECK(gitlab.url ==
          "https://forge.example/api/projects/team%2Fshop%20front/statuses/" + commit);
    CHECK(has(gitlab, "PRIVATE-TOKEN: t0ken"));
    CHECK(Value::parse(gitlab.body).at("state") == "running");
    CHECK(Value::parse(gitlab.body).at("name") == "slipway/shop");
    CHECK(Value::parse(gitlab.body).at("ref") == "main");
}

TEST_CASE("every progress has a state on every forge") {
    const auto states = [](const std::string& kind) {
        std::vector<std::string> words;
        for (const auto progress : {Progress::queued, Progress::running, Progress::success,
                                    Progress::failure, Progress::error}) {
            CHECK(forges::parse_progress(forges::to_string(progress)) == progress);
            words.push_back(
                Value::parse(forges::render_status(forge(kind), report(progress)).body)["state"]);
        }
        return words;
    };
    using Words = std::vector<std::string>;
    CHECK(states("github") == Words{"pending", "pending", "success", "failure", "error"});
    CHECK(states("gitea") == Words{"pending", "pending", "success", "failure", "error"});
    CHECK(states("gitlab") == Words{"pending", "running", "success", "failed", "failed"});
    CHECK_THROWS_AS(forges::parse_progress("perhaps"), base::Error);
}

TEST_CASE("a deployment names the commit and the build, and waits for no other status") {
    const auto made = forges::render_deployment(forge("github"), report(Progress::queued));
    CHECK(made.url == "https://forge.example/api/repos/team/shop%20front/deployments");
    const auto body = Value::parse(made.body);
    CHECK(body.at("ref") == commit);
    CHECK(body.at("required_contexts").empty());
    CHECK(body.at("auto_merge") == false);
    CHECK(body.at("environment") == "production");
    CHECK(body.at("payload").at("build") == "b123");
    CHECK(forges::parse_deployment(R"({"id": 4711, "url": "x"})") == "4711");
    CHECK_THROWS_AS(forges::parse_deployment(R"({"message": "accepted"})"), base::Error);
}

TEST_CASE("the state of a deployment brings the log's address and the digest") {
    auto done = report(Progress::success);
    done.digest = "sha256:" + std::string(64, 'a');
    const auto request = forges::render_deployment_status(forge("github"), done, "4711");
    CHECK(request.url ==
          "https://forge.example/api/repos/team/shop%20front/deployments/4711/statuses");
    const auto body = Value::parse(request.body);
    CHECK(body.at("state") == "success");
    CHECK(body.at("log_url") == "https://slipway.example/log");
    CHECK(body.at("description").get<std::string>().ends_with(done.digest));
}

TEST_CASE("a description is cut to 140 bytes between two characters") {
    auto long_one = report(Progress::failure);
    for (int i = 0; i < 100; ++i) long_one.sentence += "\u00e9";
    const std::string cut =
        Value::parse(forges::render_status(forge("github"), long_one).body)["description"];
    CHECK(cut.size() <= 140);
    CHECK(cut.size() >= 136);
    CHECK(cut.ends_with("\u00e9..."));
}

TEST_CASE("a repository's name never leaves its place in the path") {
    auto odd = forge("github");
    odd.repository = "x?y#z/%2e%2e";
    const auto url = forges::render_status(odd, report(Progress::queued)).url;
    CHECK(url.find("/repos/x%3Fy%23z/%252e%252e/statuses/") != std::string::npos);
    for (const char* name : {"../..", "team/..", "./shop", "team//shop", "/shop", "shop/", ""}) {
        odd.repository = name;
        CHECK_THROWS_AS(forges::render_status(odd, report(Progress::queued)), base::Error);
        CHECK_THROWS_AS(forges::render_deployment(odd, report(Progress::queued)), base::Error);
    }
}

TEST_CASE("forges keep their API at their usual places") {
    CHECK(forges::usual_api_url("github", "https://github.com") == "https://api.github.com");
    CHECK(forges::usual_api_url("github", "https://git.example.com") ==
          "https://git.example.com/api/v3");
    CHECK(forges::usual_api_url("gitea", "https://git.example.com:3000") ==
          "https://git.example.com:3000/api/v1");
    CHECK(forges::usual_api_url("gitlab", "https://gitlab.com") == "https://gitlab.com/api/v4");
    CHECK(forges::usual_api_url("gitea", "https://codeberg.org") == "https://codeberg.org/api/v1");
}
