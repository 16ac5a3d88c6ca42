#include "webhooks.h"

#include "apps/store.h"

#include "base/error.h"
#include "base/json.h"
#include "base/temp_dir.h"
#include "skip.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace server;
using Fate = Webhooks::Receipt::Fate;

namespace {

const std::string commit(40, 'a');

// A server's store and keys, and a queue that builds a key once and remembers who asked.
class Place {
  public:
    Place() { store_->add_app({.name = "hello"}); }

    void start() {
        webhooks_.emplace(
            store_->hooks(), keys_,
            [this](Submission submission) {
                auto asked = asked_.lock();
                if (asked->full) throw base::Error(base::ErrorKind::limit_exceeded, "full");
                auto [it, fresh] = asked->ids.try_emplace(submission.once, "");
                if (fresh) {
                    it->second = apps::new_build_id();
                    asked->builds.push_back(submission);
                }
                return it->second;
            },
            Webhooks::Settings{.check_interval = std::chrono::seconds(0),
                               .remotes = {.scratch = directory_.path()}});
    }
    void end() { webhooks_.reset(); }

    apps::Hook add(const std::string& options = {}, const std::string& kind = "github") {
        if (!webhooks_) start();
        auto made = webhooks_->add({.app = "hello",
                                    .kind = kind,
                                    .repository = "https://git.example.com/owner/repo",
                                    .options = options},
                                   {});
        secret_ = made.secret.reveal();
        return made.hook;
    }

    Webhooks::Receipt deliver(const apps::Hook& hook, const std::string& body,
                              const std::string& id, const std::string& event = "push") {
        const receiver::WebhookHeaders headers{
            {"x-github-event", event},
            {"x-github-delivery", id},
            {"x-hub-signature-256", "sha256=" + base::hmac_sha256_hex(secret_, body)}};
        const auto receipt = webhooks_->receive(hook, headers, body);
        webhooks_->look();
        return receipt;
    }

    // Once nobody works on it any more.
    apps::Delivery settled(const apps::Hook& hook, const std::string& id,
                           const std::string& state = "built") {
        const auto limit = base::Stop().within(std::chrono::seconds(20));
        for (;;) {
            auto delivery = hooks().find_delivery(hook.id, id);
            if ((delivery && delivery->state == state) || limit.wait(std::chrono::milliseconds(5)))
                return delivery.value_or(apps::Delivery{});
        }
    }

    apps::Hooks& hooks() { return store_->hooks(); }
    Webhooks& webhooks() { return *webhooks_; }
    base::KeyRing& keys() { return keys_; }
    void sign_with(const std::string& secret) { secret_ = secret; }
    std::vector<Submission> builds() { return asked_.lock()->builds; }
    void fill(bool full) { asked_.lock()->full = full; }
    apps::Hook reread(const apps::Hook& hook) { return webhooks_->find(hook.id); }

  private:
    struct Asked {
        std::map<std::string, std::string> ids;
        std::vector<Submission> builds;
        bool full = false;
    };
    base::TempDir directory_{"slipway-test"};
    base::KeyRing keys_ = base::KeyRing::open(directory_.path() / "keys");
    std::unique_ptr<apps::Store> store_ = apps::open_sqlite_store(directory_.path() / "slipway.db");
    base::Guarded<Asked> asked_;
    std::string secret_;
    std::optional<Webhooks> webhooks_;
};

std::string push(const std::string& id = commit, const std::string& message = "m",
                 int repository = 7) {
    return base::json::render({{"ref", "refs/heads/main"},
                               {"before", std::string(40, '0')},
                               {"after", id},
                               {"head_commit", {{"message", message}}},
                               {"sender", {{"login", "ada"}}},
                               {"repository",
                                {{"id", repository},
                                 {"full_name", "owner/repo"},
                                 {"clone_url", "https://evil.example/x.git"}}}});
}

std::string ci(const std::string& conclusion) {
    return base::json::render(
        {{"action", "completed"},
         {"workflow_run", {{"head_sha", commit}, {"conclusion", conclusion}, {"name", "test"}}},
         {"repository", {{"id", 7}, {"full_name", "owner/repo"}}}});
}

} // namespace

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
    CHECK(place.reread(hook).head == commit);
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
            hook, {{"x-github-event", "push"}, {"x-hub-signature-256", "sha256=00"}}, push());
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
    auto changed = place.reread(hook);
    place.keys().rotate();
    changed.sealed_secret = place.keys().seal("another", context_of_hook(hook.id));
    place.hooks().update(changed);
    place.keys().forget_old();
    CHECK_THROWS_AS(place.deliver(place.reread(hook), push(), "d2"), base::Error);
    place.sign_with("another");
    CHECK(place.deliver(place.reread(hook), push(), "d3").fate == Fate::accepted);
    changed = place.reread(hook);
    changed.branch = "next";
    place.hooks().update(changed);
    CHECK(place.deliver(place.reread(hook), push(), "d4").fate == Fate::ignored);
    changed.branch = "main";
    changed.options = R"({"wait_for_ci": true})";
    place.hooks().update(changed);
    place.deliver(place.reread(hook), push(), "d5");
    CHECK(place.hooks().find_delivery(hook.id, "d5")->state == "waiting");
    place.hooks().remove(hook.id);
    CHECK_THROWS_AS(place.reread(hook), base::Error);
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

TEST_CASE("what the server's last life acknowledged is built by the next one") {
    Place place;
    auto hook = place.add();
    place.fill(true);
    place.deliver(hook, push(), "d1");
    place.end();
    CHECK(place.hooks().find_delivery(hook.id, "d1")->state == "accepted");
    place.fill(false);
    place.start();
    CHECK(place.settled(hook, "d1").state == "built");
    CHECK(place.builds().size() == 1);
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
