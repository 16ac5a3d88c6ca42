#include "webhook_site.h"

#include "base/error.h"
#include "skip.h"

using namespace webhook_site;

TEST_CASE("a push is in the ledger when it is acknowledged, and becomes one build of the "
          "configured repository") {
    Place place;
    const auto hook = place.add();
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::accepted);
    const auto delivery = place.settled(hook, "d1");
    CHECK(delivery.state == "built");
    CHECK(delivery.commit == commit);
    REQUIRE(place.builds().size() == 1);
    const auto build = place.builds()[0];
    CHECK(build.door == "webhook");
    CHECK(build.priority == 1);
    CHECK(build.durable);
    CHECK(build.hook == hook.id);
    CHECK(build.pushed_by == "github:ada");
    const auto source = std::get<builder::RemoteCommit>(build.source);
    CHECK(source.url == "https://git.example.com/owner/repo.git");
    CHECK(source.token.empty());
    CHECK(place.has_head(hook, commit));
}

TEST_CASE("neither the same delivery nor the same commit is built twice") {
    Place place;
    const auto hook = place.add();
    place.deliver(hook, push(), "d1");
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::duplicate);
    CHECK(place.deliver(hook, push(), "d2").fate == Fate::accepted);
    CHECK(place.settled(hook, "d2").build == place.settled(hook, "d1").build);
    CHECK(place.webhooks().replay(hook, "d1").replays == 1);
    CHECK(place.settled(hook, "d1").build != "");
    CHECK(place.builds().size() == 1);
}

TEST_CASE("a signature that does not hold leaves nothing behind") {
    Place place;
    const auto hook = place.add();
    try {
        place.webhooks().receive(
            hook.id, {{"x-github-event", "push"}, {"x-hub-signature-256", "sha256=00"}}, push());
        FAIL("accepted");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::unauthenticated);
    }
    CHECK(place.hooks().list_deliveries(hook.id, 10).empty());
}

TEST_CASE("another secret, a rotated key and other options count from the next delivery on") {
    Place place;
    const auto hook = place.add();
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::accepted);
    place.keys().rotate();
    place.change_secret(hook, "another");
    place.keys().forget_old();
    place.sign_with("another");
    CHECK(place.deliver(hook, push(), "d2").fate == Fate::accepted);
    place.change_secret(hook, "a third"); // of which the next delivery's sender knows nothing
    CHECK_THROWS_AS(place.deliver(hook, push(), "d3"), base::Error);
    CHECK_FALSE(place.hooks().find_delivery(hook.id, "d3"));
    place.change_secret(hook, "another");
    auto changed = place.reread(hook);
    changed.branch = "next";
    place.hooks().update(changed);
    CHECK(place.deliver(hook, push(), "d4").fate == Fate::ignored);
    changed.branch = "main";
    changed.options = R"({"wait_for_ci": true})";
    place.hooks().update(changed);
    place.deliver(hook, push(), "d5");
    CHECK(place.hooks().find_delivery(hook.id, "d5")->state == "waiting");
    place.hooks().remove(hook.id);
    try {
        place.deliver(hook, push(), "d6");
        FAIL("accepted");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::not_found);
    }
    CHECK_THROWS_AS(place.webhooks().expect(hook.id), base::Error);
}

TEST_CASE("many deliveries that are looked at together are one build of each commit") {
    Place place;
    const auto hook = place.add();
    place.fill(true);
    for (int n = 0; n < 60; ++n)
        place.deliver(hook, push(std::string(39, 'a') + "012"[n % 3]), "d" + std::to_string(n));
    place.end();
    place.fill(false);
    place.start();
    std::map<std::string, std::set<std::string>> builds; // by commit
    for (int n = 0; n < 60; ++n) {
        const auto delivery = place.settled(hook, "d" + std::to_string(n));
        CHECK(delivery.state == "built");
        builds[delivery.commit].insert(delivery.build);
    }
    CHECK(builds.size() == 3);
    for (const auto& [id, ids] : builds) CHECK(ids.size() == 1);
    CHECK(place.builds().size() == 3);
}

TEST_CASE("the repository's number is learnt once; another one of that name is ignored") {
    Place place;
    const auto hook = place.add();
    place.deliver(hook, R"({"repository": {"id": 7, "full_name": "Owner/Repo"}})", "d0", "ping");
    const auto known = place.reread(hook);
    CHECK(known.repository_id == "7");
    CHECK(place.deliver(known, push(commit, "m", 8), "d1").fate == Fate::ignored);
    CHECK(place.deliver(known, push(), "d2").fate == Fate::accepted);
}

TEST_CASE("with the option a push waits until CI is content") {
    Place place;
    const auto hook = place.add(R"({"wait_for_ci": true})");
    CHECK(place.deliver(hook, push(), "d1").fate == Fate::accepted);
    CHECK(place.hooks().find_delivery(hook.id, "d1")->state == "waiting");
    CHECK(place.deliver(hook, ci("failure"), "c1", "workflow_run").fate == Fate::ignored);
    CHECK_THAT(place.hooks().find_delivery(hook.id, "d1")->reason, Catch::Contains("test"));
    CHECK(place.deliver(hook, ci("success"), "c2", "workflow_run").fate == Fate::accepted);
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK(place.builds().size() == 1);
}

TEST_CASE("a push waits until all of CI that has reported is content") {
    Place place;
    const auto hook = place.add(R"({"wait_for_ci": true})");
    const auto report = [&](const char* conclusion, const char* name, int run, const char* id) {
        return place.deliver(hook, ci(conclusion, name, run), id, "workflow_run").fate;
    };
    const auto push_is = [&] { return *place.hooks().find_delivery(hook.id, "d1"); };
    place.deliver(hook, push(), "d1");
    report("in_progress", "lint", 1, "c1");
    report("in_progress", "test", 2, "c2");
    CHECK(report("success", "lint", 1, "c3") == Fate::ignored);
    CHECK(push_is().state == "waiting");
    CHECK_THAT(place.hooks().find_delivery(hook.id, "c3")->reason, Catch::Contains("another one"));
    report("failure", "test", 2, "c4");
    CHECK(push_is().state == "waiting");
    CHECK_THAT(push_is().reason, Catch::Contains("test"));
    report("success", "lint", 3, "c5"); // once more, which mends nothing
    CHECK(push_is().state == "waiting");
    CHECK_THAT(push_is().reason, Catch::Contains("test"));
    CHECK(report("success", "test", 4, "c6") == Fate::accepted); // somebody ran it again
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK(place.builds().size() == 1);
}

TEST_CASE("with a name the word of that part of CI alone counts") {
    Place place;
    const auto hook = place.add(R"({"wait_for_ci": true, "ci_name": "test"})");
    place.deliver(hook, push(), "d1");
    place.deliver(hook, ci("failure", "lint", 1), "c1", "workflow_run");
    CHECK(place.deliver(hook, ci("success", "test", 2), "c2", "workflow_run").fate ==
          Fate::accepted);
    CHECK(place.settled(hook, "d1").state == "built");
}

TEST_CASE("a part of CI that ends without a word lets the others' word count") {
    Place place;
    const auto hook = place.add(R"({"wait_for_ci": true})");
    place.deliver(hook, ci("in_progress", "docs", 1), "c1", "workflow_run");
    place.deliver(hook, ci("success", "test", 2), "c2", "workflow_run");
    place.deliver(hook, push(), "d1");
    CHECK(place.hooks().find_delivery(hook.id, "d1")->state == "waiting");
    CHECK(place.deliver(hook, ci("skipped", "docs", 1), "c3", "workflow_run").fate ==
          Fate::accepted);
    CHECK(place.settled(hook, "d1").state == "built");
}

TEST_CASE("the word of CI may come before the push") {
    Place place;
    const auto hook = place.add(R"({"wait_for_ci": true})");
    place.deliver(hook, ci("success"), "c1", "workflow_run");
    place.deliver(hook, push(), "d1");
    CHECK(place.settled(hook, "d1").state == "built");
}

TEST_CASE("a delivery that was ignored is decided anew when it is replayed") {
    Place place;
    const auto hook = place.add();
    const auto receipt = place.deliver(hook, push(commit, "x [skip ci]"), "d1");
    CHECK(receipt.fate == Fate::ignored);
    CHECK(receipt.reason == "the message says [skip ci]");
    CHECK(place.reread(hook).head == commit); // or it would be found as missed
    auto changed = place.reread(hook);
    changed.options = R"({"skip_marks": false})";
    place.hooks().update(changed);
    place.webhooks().replay(changed, "d1");
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK_THROWS_AS(place.webhooks().replay(changed, "other"), base::Error);
}

TEST_CASE("the credentials of a webhook reach the job of its own repository alone") {
    Place place;
    place.start();
    const auto made = place.webhooks().add({.app = "hello",
                                            .kind = "github",
                                            .repository = "owner/repo",
                                            .token = base::Secret("t0ken")},
                                           {});
    CHECK(made.hook.clone_url == "https://github.com/owner/repo.git");
    CHECK(made.hook.sealed_token.find("t0ken") == std::string::npos);
    builder::Job job;
    job.source = source_of(made.hook, "refs/heads/main", commit);
    add_hook_secrets(job, made.hook.id, place.hooks(), place.keys());
    CHECK(std::get<builder::RemoteCommit>(job.source).token.reveal() == "t0ken");
    job.source = builder::RemoteCommit{.url = "https://elsewhere.example/x.git", .commit = commit};
    add_hook_secrets(job, made.hook.id, place.hooks(), place.keys());
    CHECK(std::get<builder::RemoteCommit>(job.source).token.empty());
    place.hooks().remove(made.hook.id);
    CHECK_THROWS_AS(add_hook_secrets(job, made.hook.id, place.hooks(), place.keys()), base::Error);
}

TEST_CASE("an SSH address gets a key pair of its own; the private half is sealed") {
    if (is_missing("ssh-keygen")) return;
    Place place;
    place.start();
    const auto made = place.webhooks().add({.app = "hello",
                                            .kind = "github",
                                            .repository = "owner/repo",
                                            .known_hosts = "github.com ssh-ed25519 AAAA",
                                            .options = R"({"deploy_key": true})"},
                                           {});
    CHECK(made.hook.clone_url == "ssh://git@github.com/owner/repo.git");
    CHECK_THAT(made.hook.ssh_public_key, Catch::StartsWith("ssh-ed25519 "));
    CHECK_THAT(repository_of(made.hook, place.keys()).ssh_key.reveal(),
               Catch::StartsWith("-----BEGIN OPENSSH PRIVATE KEY-----"));
    CHECK(made.hook.sealed_ssh_key.find("OPENSSH") == std::string::npos);
}

TEST_CASE("the forge's API is where its pages are, port and all, and not called in clear") {
    Place place;
    place.start();
    const auto api_of = [&](NewHook wanted) {
        wanted.app = "hello";
        wanted.kind = "gitea";
        wanted.known_hosts = "git.example.com ssh-ed25519 AAAA";
        return place.webhooks().add(wanted, {}).hook.api_url;
    };
    CHECK(api_of({.repository = "https://git.example.com:3000/owner/repo"}) ==
          "https://git.example.com:3000/api/v1");
    CHECK(api_of({.repository = "https://git.example.com/owner/repo"}) ==
          "https://git.example.com/api/v1");
    if (!is_missing("ssh-keygen"))
        CHECK(api_of({.repository = "owner/repo",
                      .clone_url = "ssh://git@git.example.com:2222/owner/repo.git"}) ==
              "https://git.example.com/api/v1");
    const auto plain = "http://git.example.com/api/v1";
    CHECK_THROWS_WITH(api_of({.repository = "https://git.example.com/owner/repo",
                              .api_url = plain,
                              .token = base::Secret("ghp_0")}),
                      Catch::Contains("in clear"));
    // Without a token nothing is sent there.
    CHECK(api_of({.repository = "https://git.example.com/owner/repo", .api_url = plain}) == plain);
}

TEST_CASE("what makes no webhook is refused with the way out") {
    Place place;
    place.start();
    const auto refusal = [&](NewHook wanted) -> std::string {
        wanted.app = "hello";
        if (wanted.kind.empty()) wanted.kind = "github";
        if (wanted.repository.empty()) wanted.repository = "owner/repo";
        try {
            place.webhooks().add(wanted, {});
        } catch (const base::Error& error) {
            if (error.kind() == base::ErrorKind::invalid_input) return error.message();
        }
        return "";
    };
    CHECK_THAT(refusal({.kind = "sourceforge"}), Catch::Contains("sourceforge"));
    CHECK_THAT(refusal({.repository = "repo"}), Catch::Contains("repo"));
    CHECK_THAT(refusal({.repository = "a/../b"}), Catch::Contains(".."));
    CHECK_THAT(refusal({.kind = "gitea"}), Catch::Contains("no one host"));
    CHECK_THAT(refusal({.branch = "-x"}), Catch::Contains("branch"));
    CHECK_THAT(refusal({.branch = "a:b"}), Catch::Contains("branch"));
    CHECK_THAT(refusal({.clone_url = "file:///etc"}), Catch::Contains("file"));
    CHECK_THAT(refusal({.clone_url = "https://u:p@h/x"}), Catch::Contains("user"));
    CHECK_THAT(refusal({.options = R"({"wait": true})"}), Catch::Contains("\"wait\""));
    CHECK_THAT(refusal({.options = R"({"forks": "yes"})"}), Catch::Contains("forks"));
    CHECK(place.hooks().list("hello").empty());
}
