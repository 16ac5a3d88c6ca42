// Tokens, answers that are remembered, config vars and uploads, on both databases.
#include "contract.h"

#include "base/guarded.h"
#include "base/task_group.h"

#include <atomic>

using namespace contract;
using apps::Scope;

namespace {

apps::Token token(const std::string& name, std::vector<Scope> scopes) {
    return {.id = apps::new_id('t'),
            .name = name,
            .prefix = "slip_ab",
            .hash = "hash-of-" + name,
            .scopes = std::move(scopes),
            .created_by = "ann",
            .created = 5'000'000'000,
            .expires = 9'000'000'000};
}

} // namespace

TEST_CASE("a scope reads as it was written, and nothing else is one") {
    for (const char* text : {"server", "app:shop:read", "app:shop:deploy"})
        CHECK(Scope::parse(text).render() == text);
    for (const char* text : {"", "app", "app:shop", "app::read", "app:shop:admin", "Server",
                             "app:shop:deploy ", "server:read"})
        CHECK(kind_of([&] { Scope::parse(text); }) == ErrorKind::invalid_input);
}

TEST_CASE("a token is found by its hash alone, with all its scopes") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"blog", "shop"}) store->add_app({app, 1});
    const auto made = token("ci", {Scope::parse("app:shop:deploy"), Scope::parse("app:blog:read")});
    store->tokens().add(made);
    store->tokens().add(token("root", {Scope::parse("server")}));
    const auto found = store->tokens().find_by_hash("hash-of-ci");
    REQUIRE(found);
    CHECK(found->id == made.id);
    CHECK(found->prefix == made.prefix);
    CHECK(found->created_by == "ann");
    CHECK(found->created == made.created);
    CHECK(found->expires == made.expires);
    CHECK(found->used == 0);
    REQUIRE(found->scopes.size() == 2);
    CHECK(found->scopes[0].render() == "app:blog:read");
    CHECK(found->scopes[1].render() == "app:shop:deploy");
    CHECK(store->tokens().find_by_hash("hash-of-root")->scopes.at(0).server);
    CHECK_FALSE(store->tokens().find_by_hash("ci"));
    CHECK_FALSE(store->tokens().find_by_hash(""));
    CHECK(kind_of([&] { store->tokens().add(token("ci", {})); }) == ErrorKind::already_exists);
    CHECK(kind_of([&] { store->tokens().add(token("x", {Scope::parse("app:none:read")})); }) ==
          ErrorKind::not_found);
    CHECK(store->tokens().list().size() == 2);
    store->tokens().remove(made.id);
    store->tokens().remove("root");
    CHECK(kind_of([&] { store->tokens().remove("root"); }) == ErrorKind::not_found);
    CHECK(store->tokens().list().empty());
}

TEST_CASE("a token's last use is kept to the minute") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    const auto made = token("ci", {Scope::parse("server")});
    store->tokens().add(made);
    const auto used = [&](std::int64_t now) {
        store->tokens().note_use(made.id, now);
        return store->tokens().find_by_hash(made.hash)->used;
    };
    CHECK(used(600'001) == 600'000);
    CHECK(used(659'999) == 600'000);
    CHECK(used(660'000) == 660'000);
    CHECK(used(600'000) == 660'000); // a clock that went back
}

TEST_CASE("a token of a removed app opens no app of the same name that comes later") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    for (const char* app : {"blog", "shop"}) store->add_app({app, 1});
    store->tokens().add(token("one", {Scope::parse("app:shop:deploy")}));
    store->tokens().add(
        token("two", {Scope::parse("app:shop:read"), Scope::parse("app:blog:read")}));
    store->tokens().add(token("all", {Scope::parse("server")}));
    store->remove_app("shop");
    store->add_app({"shop", 2});
    CHECK_FALSE(store->tokens().find_by_hash("hash-of-one"));
    const auto two = store->tokens().find_by_hash("hash-of-two");
    REQUIRE(two);
    REQUIRE(two->scopes.size() == 1);
    CHECK(two->scopes[0].app == "blog");
    CHECK(store->tokens().find_by_hash("hash-of-all"));
}

TEST_CASE("the same request sent twice is answered from memory") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& answers = store->idempotency();
    CHECK_FALSE(answers.begin("ann", "k", "r1", 100));
    const auto unanswered = answers.begin("ann", "k", "r1", 101);
    REQUIRE(unanswered);
    CHECK(unanswered->status == 0);
    answers.finish("ann", "k", 201, "{\"build\": \"b1\"}");
    const auto known = answers.begin("ann", "k", "r2", 102);
    REQUIRE(known);
    CHECK(known->status == 201);
    CHECK(known->request_hash == "r1");
    CHECK(known->body == "{\"build\": \"b1\"}");
    CHECK_FALSE(answers.begin("bob", "k", "r1", 103)); // another caller's key is another
    answers.forget("bob", "k");
    CHECK_FALSE(answers.begin("bob", "k", "r1", 104));
    CHECK(answers.remove_before(104) == 1);
    CHECK_FALSE(answers.begin("ann", "k", "r1", 105));
}

TEST_CASE("a request's key knows the build that it has started from the moment of its row on") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& answers = store->idempotency();
    store->add_app({"shop", 1});
    const apps::RequestKey request{"ann", "k"};
    CHECK_FALSE(answers.begin("ann", "k", "r", 100, "here"));
    CHECK(answers.begin("ann", "k", "r", 100, "here")->build.empty());
    const auto build = queued("shop");
    store->builds().add_once(build, "", 0, 0, request);
    CHECK(answers.begin("ann", "k", "r", 100, "here")->build == build.id);
    // One that is refused changes nothing.
    CHECK_FALSE(answers.begin("ann", "full", "r", 100, "here"));
    CHECK(kind_of([&] {
              store->builds().add_once(queued("shop"), "", 1, 0, apps::RequestKey{"ann", "full"});
          }) == ErrorKind::limit_exceeded);
    CHECK(answers.begin("ann", "full", "r", 100, "here")->build.empty());
    // The same tree asked for twice is one build, for both keys.
    CHECK_FALSE(answers.begin("ann", "k2", "r", 100, "here"));
    const auto once = queued("shop");
    store->builds().add_once(once, "tree");
    store->builds().add_once(queued("shop"), "tree", 0, 0, apps::RequestKey{"ann", "k2"});
    CHECK(answers.begin("ann", "k2", "r", 100, "here")->build == once.id);
}

TEST_CASE("what a dead server left unanswered is free again, unless its build was started") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& answers = store->idempotency();
    store->add_app({"shop", 1});
    for (const char* key : {"answered", "started", "nothing"})
        CHECK_FALSE(answers.begin("ann", key, "r", 100, "here"));
    CHECK_FALSE(answers.begin("ann", "elsewhere", "r", 100, "there"));
    answers.finish("ann", "answered", 201, "{}");
    const auto build = queued("shop");
    store->builds().add_once(build, "", 0, 0, apps::RequestKey{"ann", "started"});
    CHECK(answers.forget_unanswered("here") == 1);
    CHECK(answers.begin("ann", "answered", "r", 101)->status == 201);
    CHECK(answers.begin("ann", "started", "r", 101)->build == build.id);
    CHECK(answers.begin("ann", "elsewhere", "r", 101));
    CHECK_FALSE(answers.begin("ann", "nothing", "r", 101));
    answers.forget("ann", "started"); // as one whose answer failed after its build was there
    CHECK(answers.begin("ann", "started", "r", 102)->build == build.id);
}

TEST_CASE(
    "a key that a server which never came back left is free after ten minutes, for its request") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& answers = store->idempotency();
    store->add_app({"shop", 1});
    constexpr std::int64_t minute = 60'000, later = 100 + 10 * minute;
    for (const char* key : {"nothing", "another", "started", "answered"})
        CHECK_FALSE(answers.begin("ann", key, "r", 100, "gone"));
    const auto build = queued("shop");
    store->builds().add_once(build, "", 0, 0, apps::RequestKey{"ann", "started"});
    answers.finish("ann", "answered", 201, "{}");
    CHECK(answers.begin("ann", "nothing", "r", later - 1, "here"));
    CHECK_FALSE(answers.begin("ann", "nothing", "r", later, "here"));
    CHECK(answers.begin("ann", "nothing", "r", later + 1, "there")); // it is being answered again
    CHECK(answers.begin("ann", "another", "other", later, "here")->request_hash == "r");
    CHECK(answers.begin("ann", "started", "r", later, "here")->build == build.id);
    CHECK(answers.begin("ann", "answered", "r", later, "here")->status == 201);
    CHECK(answers.forget_unanswered("gone") == 1); // "another": "nothing" is no longer its
}

TEST_CASE("of eight equal requests at once one does the work") {
    CONTRACT_PLACE(place);
    const auto first = place.open(), second = place.open();
    std::atomic<int> owners = 0, told = 0;
    base::TaskGroup callers;
    for (int i = 0; i < 8; ++i)
        callers.start([&, i](const base::Stop&) {
            for (int key = 0; key < 20; ++key) {
                auto& answers = (i % 2 ? first : second)->idempotency();
                ++(answers.begin("ann", std::to_string(key), "r", 1) ? told : owners);
            }
        });
    callers.join();
    CHECK(owners == 20);
    CHECK(told == 140);
}

TEST_CASE("config vars are set together or not at all, by name, and go with their app") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& variables = store->variables();
    store->add_app({"shop", 1});
    using apps::VariableUse;
    variables.set("shop", {{"B", "sealed-b", VariableUse::build, 1}, {"A", "sealed-a"}});
    variables.set("shop", {{"B", "sealed-b2", VariableUse::run, 2}});
    const auto list = variables.list("shop");
    REQUIRE(list.size() == 2);
    CHECK(list[0].name == "A");
    CHECK(list[0].use == VariableUse::both);
    CHECK(list[1].sealed == "sealed-b2");
    CHECK(list[1].use == VariableUse::run);
    CHECK(list[1].changed == 2);
    CHECK(kind_of([&] { variables.set("none", {{"A", "x"}}); }) == ErrorKind::not_found);
    CHECK(variables.list_all().size() == 2);
    CHECK(variables.list_all()[1].first == "shop");
    CHECK(variables.unset("shop", {"A", "Z"}) == 1);
    store->remove_app("shop");
    CHECK(variables.list_all().empty());
    CHECK(kind_of([] { apps::parse_variable_use("never"); }) == ErrorKind::invalid_input);
}

TEST_CASE("an upload's bytes are used as long as a row or an open build names them") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    auto& uploads = store->uploads();
    const std::string digest = "sha256:" + std::string(64, 'd');
    uploads.add({.id = "s1", .secret_hash = "h", .owner = "ann", .created = 5, .expires = 9});
    CHECK_FALSE(uploads.is_used(digest));
    uploads.complete("s1", digest, 5'000'000'000);
    CHECK(uploads.find("s1")->digest == digest);
    CHECK(uploads.find("s1")->size == 5'000'000'000);
    CHECK(uploads.find("s1")->expires == 9);
    CHECK(uploads.is_used(digest));
    CHECK(uploads.list_before(5).empty());
    CHECK(uploads.list_before(6).size() == 1);
    uploads.remove("s1");
    CHECK_FALSE(uploads.find("s1"));
    CHECK_FALSE(uploads.is_used(digest));
    CHECK(kind_of([&] { uploads.complete("s1", digest, 1); }) == ErrorKind::not_found);

    store->add_app({"shop", 1});
    Build build = queued("shop", "b1");
    build.source = "{\"file\": \"/uploads/" + digest.substr(7) + "\"}";
    store->builds().add(build);
    CHECK(uploads.is_used(digest));
    end(*store, *store->builds().claim("w", std::chrono::minutes(1)));
    CHECK_FALSE(uploads.is_used(digest));
}

TEST_CASE("a write that fails leaves nothing, and those beside it are kept") {
    CONTRACT_PLACE(place);
    const auto store = place.open();
    store->add_app({"shop", 1});
    std::atomic<int> refused = 0;
    base::TaskGroup writers;
    for (int i = 0; i < 8; ++i)
        writers.start([&, i](const base::Stop&) {
            for (int k = 0; k < 10; ++k) {
                const auto name = std::to_string(i) + "-" + std::to_string(k);
                try {
                    // The key's row is written before its unknown app is met.
                    store->add_key(
                        {name, "SHA256:" + name, "t", "x", {i % 2 ? "none" : "shop"}, 1});
                } catch (const base::Error&) {
                    ++refused;
                }
            }
        });
    writers.join();
    CHECK(refused == 40);
    CHECK(store->list_keys().size() == 40);
    for (const auto& key : store->list_keys()) CHECK((key.name[0] - '0') % 2 == 0);
}
