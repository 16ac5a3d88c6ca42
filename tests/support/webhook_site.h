// Webhooks on a real store, with a queue that builds a key once and remembers who asked.
#pragma once

#include "webhooks.h"

#include "apps/sealed_texts.h"
#include "apps/store.h"

#include "base/json.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <map>
#include <set>

namespace webhook_site {

using namespace server;
using Fate = Webhooks::Receipt::Fate;

inline const std::string commit(40, 'a');

class Place {
  public:
    Place() {
        for (const char* app : {"hello", "blog"}) store_->add_app({.name = app});
    }

    void start() {
        webhooks_.emplace(
            store_->hooks(), keys_,
            [this](Submission submission) {
                auto asked = asked_.lock();
                if (asked->full || asked->full_of == submission.app || asked->room == 0) {
                    ++asked->refused;
                    throw base::Error(base::ErrorKind::limit_exceeded, "full");
                }
                if (submission.replace == apps::Replace::without_image &&
                    asked->without_image.contains(submission.once))
                    asked->ids.erase(submission.once);
                auto [it, fresh] = asked->ids.try_emplace(submission.once, "");
                if (fresh) {
                    --asked->room;
                    it->second = apps::new_build_id();
                    asked->builds.push_back(submission);
                }
                return it->second;
            },
            Webhooks::Settings{.check_interval = std::chrono::seconds(0),
                               .remotes = {.scratch = directory_.path()},
                               .most_open = most_open});
    }
    void end() { webhooks_.reset(); }

    apps::Hook add(const std::string& options = {}, const std::string& kind = "github",
                   const std::string& app = "hello") {
        if (!webhooks_) start();
        auto made = webhooks_->add({.app = app,
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
        const auto receipt = webhooks_->receive(hook.id, headers, body);
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
    // In the row, as a rotation writes what is sealed.
    void change_secret(const apps::Hook& hook, const std::string& secret) {
        apps::SealedTexts texts(store_->database());
        for (const auto& text : texts.list())
            if (text.context == context_of_hook(hook.id))
                REQUIRE(texts.replace(text, keys_.seal(secret, text.context)));
    }
    void sign_with(const std::string& secret) { secret_ = secret; }
    std::vector<Submission> builds() { return asked_.lock()->builds; }
    // As if every build so far had been superseded or cancelled.
    void end_without_image() {
        auto asked = asked_.lock();
        for (const auto& [key, id] : asked->ids) asked->without_image.insert(key);
    }
    void fill(bool full) { asked_.lock()->full = full; }
    void fill_of(const std::string& app) { asked_.lock()->full_of = app; }
    // So many more builds; then it is full.
    void make_room(int builds) {
        {
            auto asked = asked_.lock();
            asked->room = builds;
            asked->refused = 0;
        }
        webhooks_->look();
    }
    // Returns once so many were refused since.
    void wait_for_refusals(int count) {
        const auto limit = base::Stop().within(std::chrono::seconds(20));
        while (asked_.lock()->refused < count && !limit.wait(std::chrono::milliseconds(5))) {
        }
    }
    // As a push that was accepted left it, of a commit of its own.
    void record(const apps::Hook& hook, int number) {
        const auto id = std::to_string(number);
        apps::Delivery delivery{.hook = hook.id,
                                .delivery = "open-" + id,
                                .event = "push",
                                .ref = "refs/heads/main",
                                .commit = std::string(40 - id.size(), 'c') + id,
                                .state = "accepted",
                                .content = "{}",
                                .received = apps::now_milliseconds()};
        REQUIRE(hooks().record(delivery));
    }
    // Returns once so many builds were made.
    std::vector<Submission> wait_for_builds(std::size_t count) {
        const auto limit = base::Stop().within(std::chrono::seconds(20));
        while (builds().size() < count && !limit.wait(std::chrono::milliseconds(5))) {
        }
        return builds();
    }
    // It is noted after the builds of its round.
    bool has_head(const apps::Hook& hook, const std::string& head) {
        const auto limit = base::Stop().within(std::chrono::seconds(20));
        while (reread(hook).head != head)
            if (limit.wait(std::chrono::milliseconds(5))) return false;
        return true;
    }
    apps::Hook reread(const apps::Hook& hook) { return webhooks_->find(hook.id); }

    std::int64_t most_open = 50'000; // before start()

  private:
    struct Asked {
        std::map<std::string, std::string> ids;
        std::vector<Submission> builds;
        std::set<std::string> without_image; // keys whose build ended so
        bool full = false;
        std::string full_of; // an app
        int room = -1;       // negative: as many as come
        int refused = 0;
    };
    base::TempDir directory_{"slipway-test"};
    base::KeyRing keys_ = base::KeyRing::open(directory_.path() / "keys");
    std::unique_ptr<apps::Store> store_ = apps::open_sqlite_store(directory_.path() / "slipway.db");
    base::Guarded<Asked> asked_;
    std::string secret_;
    std::optional<Webhooks> webhooks_;
};

inline std::string push(const std::string& id = commit, const std::string& message = "m",
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

// From the repository of this number; the app's own is 7.
inline std::string pull_request(int number, int from) {
    return base::json::render({{"action", "opened"},
                               {"pull_request",
                                {{"number", number},
                                 {"title", "t"},
                                 {"head", {{"sha", commit}, {"repo", {{"id", from}}}}},
                                 {"base", {{"ref", "main"}, {"repo", {{"id", 7}}}}}}},
                               {"repository", {{"id", 7}, {"full_name", "owner/repo"}}}});
}

inline std::string ci(const std::string& conclusion, const std::string& name = "test",
                      int run = 1) {
    const bool ended = conclusion != "in_progress";
    return base::json::render({{"action", ended ? "completed" : conclusion},
                               {"workflow_run",
                                {{"head_sha", commit},
                                 {"id", run},
                                 {"workflow_id", name},
                                 {"conclusion", ended ? conclusion : ""},
                                 {"name", name}}},
                               {"repository", {{"id", 7}, {"full_name", "owner/repo"}}}});
}

} // namespace webhook_site
