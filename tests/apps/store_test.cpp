// Apps, keys, stacks, settings and the history of builds, on both databases.
#include "contract.h"

#include <algorithm>

using namespace contract;

namespace {

Build published(const std::string& app, const std::string& digest, std::int64_t finished) {
    Build build = queued(app);
    build.state = BuildState::published;
    build.digest = digest;
    build.finished = finished;
    return build;
}

} // namespace

TEST_CASE("an app is remembered over a restart and its name is taken") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1'700'000'000'123});
    store = place.open();
    REQUIRE(store->find_app("shop"));
    CHECK(store->find_app("shop")->created == 1'700'000'000'123);
    CHECK_FALSE(store->find_app("shop'; DROP TABLE apps; --"));
    CHECK(kind_of([&] { store->add_app({"shop", 1}); }) == ErrorKind::already_exists);
    CHECK(store->list_apps().size() == 1);
    CHECK(store->database().faults() == 0); // it was the caller's
}

TEST_CASE("an app's repository is its name or its own path, and no other app's") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1, "", "acme/shop"});
    store->add_app({"plain", 2});
    CHECK(store->find_app("shop")->path() == "acme/shop");
    CHECK(store->find_app_of_repository("acme/shop")->name == "shop");
    CHECK(store->find_app_of_repository("plain")->name == "plain");
    CHECK_FALSE(store->find_app_of_repository("shop"));
    for (const auto* taken : {"acme/shop", "plain"})
        CHECK(kind_of([&] {
                  store->add_app({"another", 3, "", taken});
              }) == ErrorKind::already_exists);
    CHECK_FALSE(store->find_app("another"));
    store->add_app({"taker", 3, "", "later"});
    CHECK(kind_of([&] { store->add_app({"later", 4}); }) == ErrorKind::already_exists);

    store->set_app_repository("plain", "acme/plain");
    CHECK(store->list_apps().at(0).path() == "acme/plain");
    CHECK_FALSE(store->find_app_of_repository("plain"));
    CHECK(kind_of([&] { store->set_app_repository("plain", "later"); }) ==
          ErrorKind::already_exists);
    CHECK(kind_of([&] { store->set_app_repository("nobody", "x"); }) == ErrorKind::not_found);
    store->set_app_repository("plain", "");
    CHECK(store->find_app_of_repository("plain")->name == "plain");
    store->set_app_repository("plain", "plain");
    CHECK(store->find_app_of_repository("plain")->name == "plain");
}

TEST_CASE("a token keeps each of its rights") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    apps::Token token;
    token.id = "t1";
    token.name = "ci";
    token.hash = "hash";
    for (const auto* scope : {"app:shop:read", "app:shop:push", "app:shop:deploy"})
        token.scopes.push_back(apps::Scope::parse(scope));
    store->tokens().add(token);
    std::vector<std::string> scopes;
    const auto found = store->tokens().find_by_hash("hash");
    REQUIRE(found);
    for (const auto& scope : found->scopes) scopes.push_back(scope.render());
    std::sort(scopes.begin(), scopes.end());
    CHECK(scopes == std::vector<std::string>{"app:shop:deploy", "app:shop:push", "app:shop:read"});
    CHECK(kind_of([] { apps::Scope::parse("app:shop:delete"); }) == ErrorKind::invalid_input);
}

TEST_CASE("a fingerprint is added once, whatever it is called") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_key({"ann", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA", {}, 5});
    CHECK(kind_of([&] {
              store->add_key({"bob", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA", {}, 6});
          }) == ErrorKind::already_exists);
    CHECK(kind_of([&] {
              store->add_key({"ann", "SHA256:def", "ssh-ed25519", "ssh-ed25519 BBBB", {}, 6});
          }) == ErrorKind::already_exists);
    CHECK(store->find_key_by_fingerprint("SHA256:abc")->name == "ann");
    CHECK(store->list_keys().size() == 1);
    store->remove_key("ann");
    CHECK(kind_of([&] { store->remove_key("ann"); }) == ErrorKind::not_found);
}

TEST_CASE("a key opens the apps it was given and no other") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    store->add_key({"all", "SHA256:all", "t", "x", {}, 1});
    store->add_key({"one", "SHA256:one", "t", "x", {"shop"}, 1});
    CHECK(store->may_push("SHA256:all", "blog"));
    CHECK(store->may_push("SHA256:one", "shop"));
    CHECK_FALSE(store->may_push("SHA256:one", "blog"));
    CHECK_FALSE(store->may_push("SHA256:all", "nothing"));
    CHECK_FALSE(store->may_push("SHA256:none", "shop"));
    CHECK(kind_of([&] {
              store->add_key({"bad", "SHA256:bad", "t", "x", {"gone"}, 1});
          }) == ErrorKind::not_found);
    CHECK_FALSE(store->find_key_by_fingerprint("SHA256:bad")); // nothing half-added
}

TEST_CASE("removing an app does not widen a key that was for that app alone") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    store->add_key({"one", "SHA256:one", "t", "x", {"shop"}, 1});
    store->add_key({"two", "SHA256:two", "t", "x", {"shop", "blog"}, 1});
    store->remove_app("shop");
    store->add_app({"shop", 2});
    CHECK_FALSE(store->may_push("SHA256:one", "shop"));
    CHECK_FALSE(store->may_push("SHA256:one", "blog"));
    CHECK_FALSE(store->may_push("SHA256:two", "shop"));
    CHECK(store->may_push("SHA256:two", "blog"));
}

TEST_CASE("the repository of an app that goes is leaving until all is removed, or an app has it") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    using Names = std::vector<std::string>;
    store->add_app({"shop", 1, "", "acme/shop"});
    store->add_app({"blog", 1});
    store->add_app({"elsewhere", 1});
    store->remove_app("shop", "here");
    store->remove_app("blog", "here");
    store->remove_app("elsewhere"); // its images are in no registry of ours
    CHECK(store->list_leaving("here") == Names{"acme/shop", "blog"});
    CHECK(store->list_leaving("there").empty());
    CHECK(store->list_leaving("here", std::chrono::hours(1)).empty());
    CHECK(store->is_leaving("acme/shop"));
    CHECK_FALSE(store->is_leaving("shop"));
    store->add_app({"shop", 2, "", "acme/shop"});
    CHECK(store->list_leaving("here") == Names{"blog"});
    store->set_app_repository("shop", "blog", "here");
    CHECK(store->list_leaving("here") == Names{"acme/shop"});
    store->forget_leaving("here", "acme/shop");
    CHECK_FALSE(store->is_leaving("acme/shop"));
}

TEST_CASE("an app that stays because it is building does not leave its repository") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->builds().add(queued("shop"));
    CHECK(kind_of([&] { store->remove_app("shop", "here"); }) == ErrorKind::already_exists);
    CHECK_FALSE(store->is_leaving("shop"));
}

TEST_CASE("a build keeps every word of its outcome") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->builds().add(queued("shop"));
    auto [build, fence] = store->builds().claim("worker", std::chrono::minutes(1)).value();
    build.state = BuildState::published;
    build.started = build.created + 10;
    build.finished = build.created + 5'000'000'000;
    build.phases = {{"fetch", 12}, {"detect", 340}, {"build", 4'000'000'000}};
    build.digest = "sha256:" + std::string(64, 'b');
    build.reference = "127.0.0.1:5000/shop@" + build.digest;
    build.size = 9'000'000'000;
    build.processes = {{"web", "node server.js", true}, {"worker", "node worker.js", false}};
    store->builds().finish(build, fence);
    store = place.open();

    const auto found = store->builds().find(build.id);
    REQUIRE(found);
    CHECK(found->state == BuildState::published);
    CHECK(found->finished == build.finished);
    CHECK(found->phases == build.phases);
    CHECK(found->size == 9'000'000'000);
    CHECK(found->reference == build.reference);
    REQUIRE(found->processes.size() == 2);
    CHECK(found->processes[0].command == "node server.js");
    CHECK(found->processes[0].is_default);
    CHECK_FALSE(found->processes[1].is_default);
}

TEST_CASE("builds are listed newest first, of one app or of all, up to a limit") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    for (const char* id : {"b3", "b1", "b2"}) {
        Build build = queued(std::string(id) == "b2" ? "blog" : "shop");
        build.id = id;
        store->builds().add(build);
    }
    const auto all = store->builds().list({});
    REQUIRE(all.size() == 3);
    CHECK(all[0].id == "b3");
    CHECK(all[2].id == "b1");
    CHECK(store->builds().list({.app = "blog"}).size() == 1);
    CHECK(store->builds().list({.limit = 2}).size() == 2);
}

TEST_CASE("the last published build is the one that finished last, whatever failed since") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    CHECK_FALSE(store->builds().last_published("shop"));
    store->builds().add(published("shop", "sha256:old", 100));
    store->builds().add(published("shop", "sha256:new", 200));
    Build failed = queued("shop");
    failed.state = BuildState::refused;
    failed.finished = 300;
    store->builds().add(failed);
    CHECK(store->builds().last_published("shop")->digest == "sha256:new");
}

TEST_CASE("one stack at a time is the current one") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    CHECK_FALSE(store->current_stack());
    store->use_stack({"debian-12", "r/b@1", "r/r@1", true});
    store->use_stack({"other", "r/b@2", "r/r@2", true});
    REQUIRE(store->current_stack());
    CHECK(store->current_stack()->name == "other");
    store->use_stack({"debian-12", "r/b@3", "r/r@3", true});
    CHECK(store->current_stack()->build == "r/b@3");
    CHECK(store->list_stacks().size() == 2);
    CHECK_FALSE(store->find_stack("none"));
}

TEST_CASE("a setting is what it was set to last") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    CHECK_FALSE(store->find_setting("a"));
    store->set_setting("a", "1");
    store->set_setting("a", "2");
    CHECK(store->find_setting("a") == std::string("2"));
}

TEST_CASE("an app's setting is its own, is removed by an empty value and goes with the app") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->add_app({"shop", 1});
    store->add_app({"blog", 1});
    store->set_app_setting("shop", "stack", "one");
    store->set_app_setting("shop", "stack", "two");
    CHECK(store->find_app_setting("shop", "stack") == std::string("two"));
    CHECK_FALSE(store->find_app_setting("blog", "stack"));
    CHECK_THROWS_AS(store->set_app_setting("nobody", "stack", "one"), base::Error);
    store->set_app_setting("shop", "stack", "");
    CHECK_FALSE(store->find_app_setting("shop", "stack"));
    store->set_app_setting("shop", "stack", "two");
    store->remove_app("shop");
    store->add_app({"shop", 2});
    CHECK_FALSE(store->find_app_setting("shop", "stack"));
}

TEST_CASE("a stack that is added beside the current one does not become it") {
    CONTRACT_PLACE(place);
    auto store = place.open();
    store->use_stack({"first", "b1", "r1", true});
    store->use_stack({"other", "b2", "r2", false});
    CHECK(store->current_stack()->name == "first");
    store->use_stack({"first", "b3", "r3", false}); // a new version of the current one
    CHECK(store->current_stack()->build == "b3");
    store->use_stack({"other", "b2", "r2", true});
    CHECK(store->current_stack()->name == "other");
}
