#include "server/config_vars.h"

#include "errors.h"

#include "apps/sealed_texts.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/stop.h"
#include "base/task_group.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using apps::VariableUse;
using base::ErrorKind;
using base::Secret;
using server::ConfigVarChange;
using server::ConfigVars;
using Action = server::ConfigVarChange::Action;

namespace {

struct Opened {
    base::TempDir directory{"config-vars"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    base::KeyRing keys = base::KeyRing::open(directory.path() / "secrets.key");
    ConfigVars variables{*store, keys};

    Opened() {
        for (const char* app : {"shop", "blog"}) store->add_app({app, 1});
    }
    void set(const std::string& app, const std::string& name, const std::string& value,
             std::optional<VariableUse> use = {}) {
        variables.change(app, {{name, Action::set, Secret(value), use}});
    }
    // As a server that starts again finds it.
    std::string value_after_restart(const std::string& app, const std::string& name) {
        auto again = base::KeyRing::open(directory.path() / "secrets.key");
        for (const auto& variable : ConfigVars(*store, again).reveal(app))
            if (variable.name == name) return variable.value.reveal();
        return "not there";
    }
};

std::string message_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const base::Error& error) {
        return error.message() + error.hint();
    }
    return "nothing was thrown";
}

} // namespace

TEST_CASE("a config var is sealed in the table and comes back as it was") {
    Opened in;
    const std::string value = "postgres://u:p@h/db?a=b\nsecond \xff line";
    in.set("shop", "DATABASE_URL", value);
    const auto rows = in.variables.list("shop");
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].sealed.find("postgres") == std::string::npos);
    CHECK(in.value_after_restart("shop", "DATABASE_URL") == value);
    CHECK(in.variables.list("blog").empty());
    for (const auto& file : std::filesystem::directory_iterator(in.directory.path()))
        CHECK(base::read_file(file.path()).find("postgres://") == std::string::npos);
}

TEST_CASE("a build is given the variables of both uses and of builds, not those of runs") {
    Opened in;
    in.set("shop", "EVERYWHERE", "1");
    in.set("shop", "BUILDING", "2", VariableUse::build);
    in.set("shop", "RUNNING", "3", VariableUse::run);
    CHECK(in.variables.for_build("shop") ==
          std::map<std::string, std::string>{{"BUILDING", "2"}, {"EVERYWHERE", "1"}});
    CHECK(in.variables.for_build("blog").empty());
}

TEST_CASE("the use of a variable stays when its value changes, and changes alone") {
    Opened in;
    in.set("shop", "TOKEN", "one", VariableUse::run);
    in.set("shop", "TOKEN", "two");
    CHECK(in.variables.reveal("shop")[0].use == VariableUse::run);
    in.variables.change("shop", {{"TOKEN", Action::change_use, {}, VariableUse::build}});
    CHECK(in.variables.reveal("shop")[0].use == VariableUse::build);
    CHECK(in.variables.reveal("shop")[0].value.reveal() == "two");
    CHECK(kind_of([&] {
              in.variables.change("shop", {{"OTHER", Action::change_use, {}, VariableUse::run}});
          }) == ErrorKind::not_found);
}

TEST_CASE("changes of several variables happen all or not at all") {
    Opened in;
    in.set("shop", "OLD", "value");
    CHECK(kind_of([&] {
              in.variables.change("shop", {{"NEW", Action::set, Secret("x")},
                                           {"OLD", Action::unset},
                                           {"1BAD", Action::set, Secret("x")}});
          }) == ErrorKind::invalid_input);
    CHECK(in.variables.list("shop").size() == 1);
    in.variables.change("shop", {{"NEW", Action::set, Secret("x")},
                                 {"OLD", Action::unset},
                                 {"NEVER_THERE", Action::unset},
                                 {"TWICE", Action::unset},
                                 {"TWICE", Action::set, Secret("y")}});
    const auto now = in.variables.reveal("shop");
    REQUIRE(now.size() == 2);
    CHECK(now[0].name == "NEW");
    CHECK(now[1].name == "TWICE");
}

TEST_CASE("an unknown app has no variables to change") {
    Opened in;
    CHECK(kind_of([&] { in.set("nobody", "A", "1"); }) == ErrorKind::not_found);
}

TEST_CASE("names that a shell cannot take or that the platform sets are refused with the reason") {
    for (const char* name :
         {"", "1A", "A-B", "A B", "A=B", "A.B", "\xc3\x84", "A\n", "A/B", "../A"})
        CHECK(kind_of([&] { server::check_variable_name(name); }) == ErrorKind::invalid_input);
    for (const char* name : {"CNB_USER_ID", "SLIPWAY_X", "HOME", "STACK", "SOURCE_VERSION"})
        CHECK(message_of([&] { server::check_variable_name(name); }).find("set by the platform") !=
              std::string::npos);
    CHECK(kind_of([] { server::check_variable_name(std::string(129, 'A')); }) ==
          ErrorKind::invalid_input);
    for (const char* name : {"A", "_a1", "PATH", "PORT", "BP_NODE_VERSION", "CNB", "NODE_ENV"})
        CHECK_NOTHROW(server::check_variable_name(name));
}

TEST_CASE("values are bounded, one by one and together, and an error never shows one") {
    Opened in;
    CHECK(kind_of([&] { in.set("shop", "A", std::string("ab\0c", 4)); }) ==
          ErrorKind::invalid_input);
    CHECK(kind_of([&] { in.set("shop", "A", std::string((32u << 10) + 1, 'x')); }) ==
          ErrorKind::limit_exceeded);
    CHECK(message_of([&] {
              in.set("shop", "A", "geheim" + std::string(32u << 10, 'x'));
          }).find("geheim") == std::string::npos);
    in.set("shop", "A", std::string(32u << 10, 'x'));
    in.set("shop", "B", std::string((32u << 10) - 2, 'x'));
    CHECK(kind_of([&] { in.set("shop", "C", ""); }) == ErrorKind::limit_exceeded);
    in.set("shop", "B", ""); // what makes it smaller is taken
    in.set("shop", "C", "x");
    for (int i = 0; i < 509; ++i) in.set("blog", "V" + std::to_string(i), "");
    std::vector<ConfigVarChange> three;
    for (const char* name : {"X", "Y", "Z"}) three.push_back({name, Action::set, Secret("1")});
    in.variables.change("blog", three);
    CHECK(kind_of([&] { in.set("blog", "ONE_MORE", ""); }) == ErrorKind::limit_exceeded);
}

TEST_CASE("a rotation seals everything anew and forgets the old key") {
    Opened in;
    in.set("shop", "TOKEN", "variable");
    in.store->hooks().add({.id = "h1",
                           .app = "shop",
                           .kind = "github",
                           .sealed_secret = in.keys.seal("hook secret", "hook/h1"),
                           .sealed_ssh_key = in.keys.seal("hook key", "hook/h1")});
    in.store->notices().add(
        apps::Subscription{.id = "n1",
                           .app = "shop",
                           .url = "https://example.com",
                           .sealed_secret = in.keys.seal("subscriber", "subscription/n1")});
    apps::Build build;
    build.id = apps::new_build_id();
    build.app = "shop";
    build.sealed = in.keys.seal("environment", "build/" + build.id);
    build.sealed_source = in.keys.seal("signed URL", "source/" + build.id);
    in.store->builds().add(build);
    auto& answers = in.store->idempotency();
    answers.begin("t1", "once", "request", 1);
    answers.finish("t1", "once", 201, in.keys.seal("answer", "answer/t1/once"));
    answers.begin("t1", "not answered yet", "request", 1);
    const auto old = in.keys.seal("x", "y");

    const auto rotation = in.variables.rotate();
    CHECK(rotation.resealed == 7);
    CHECK(rotation.forgot_old);
    CHECK(kind_of([&] { in.keys.unseal(old, "y"); }) == ErrorKind::denied);
    CHECK(in.value_after_restart("shop", "TOKEN") == "variable");
    const auto hook = in.store->hooks().find("h1");
    CHECK(in.keys.unseal(hook->sealed_secret, "hook/h1").reveal() == "hook secret");
    CHECK(in.keys.unseal(hook->sealed_ssh_key, "hook/h1").reveal() == "hook key");
    CHECK(hook->sealed_token.empty());
    const auto subscription = in.store->notices().find_subscription("n1");
    CHECK(in.keys.unseal(subscription->sealed_secret, "subscription/n1").reveal() == "subscriber");
    const auto answer = answers.begin("t1", "once", "request", 1);
    CHECK(in.keys.unseal(answer->body, "answer/t1/once").reveal() == "answer");
    const auto row = in.store->builds().find(build.id);
    CHECK(in.keys.unseal(row->sealed, "build/" + build.id).reveal() == "environment");
    CHECK(in.keys.unseal(row->sealed_source, "source/" + build.id).reveal() == "signed URL");
}

TEST_CASE("a rotation that was cut off anywhere is finished at the next start") {
    // As many texts as places to be killed at: before the first, between two, after the last.
    for (int killed_after = 0; killed_after <= 3; ++killed_after) {
        Opened in;
        for (const char* name : {"A", "B", "C"}) in.set("shop", name, std::string("of ") + name);
        in.keys.rotate();
        apps::SealedTexts texts(in.store->database());
        auto left = killed_after;
        for (const auto& text : texts.list())
            if (left-- > 0)
                texts.replace(text, in.keys.seal(in.keys.unseal(text.sealed, text.context).reveal(),
                                                 text.context));
        auto keys = base::KeyRing::open(in.directory.path() / "secrets.key");
        const auto rotation = ConfigVars(*in.store, keys).finish_rotation();
        CHECK(rotation.resealed == static_cast<std::size_t>(3 - killed_after));
        CHECK(rotation.forgot_old);
        for (const char* name : {"A", "B", "C"})
            CHECK(in.value_after_restart("shop", name) == std::string("of ") + name);
    }
}

TEST_CASE("a rotation waits for a secret that is sealed and not yet written") {
    Opened in;
    apps::Hook hook;
    hook.id = "h1";
    hook.app = "shop";
    base::StopSource rotated;
    base::TaskGroup threads;
    {
        const auto kept = in.keys.keep();
        hook.sealed_secret = in.keys.seal("word", "hook/h1");
        threads.start([&](const base::Stop&) {
            in.variables.rotate();
            rotated.request();
        });
        const auto patience = base::Stop{}.within(std::chrono::seconds(20));
        while (!in.keys.is_stale(hook.sealed_secret) &&
               !patience.wait(std::chrono::milliseconds(1))) {
        }
        CHECK(in.keys.is_stale(hook.sealed_secret));
        // It may not end before the row is there, however long that takes.
        CHECK_FALSE(rotated.stop().wait(std::chrono::milliseconds(300)));
        in.store->hooks().add(hook);
    }
    threads.join();
    CHECK(rotated.stop().requested());
    const auto again = base::KeyRing::open(in.directory.path() / "secrets.key");
    const auto sealed = in.store->hooks().find("h1")->sealed_secret;
    CHECK_FALSE(again.is_stale(sealed));
    CHECK(again.unseal(sealed, "hook/h1").reveal() == "word");
}

TEST_CASE("a rotation does not write over what somebody set meanwhile") {
    Opened in;
    in.set("shop", "A", "before");
    apps::SealedTexts texts(in.store->database());
    const auto listed = texts.list();
    in.set("shop", "A", "after");
    CHECK_FALSE(texts.replace(listed.at(0), in.keys.seal("before", listed.at(0).context)));
    CHECK(in.value_after_restart("shop", "A") == "after");
}

TEST_CASE("a text that does not open keeps the old keys, and its owner may set it anew") {
    Opened in;
    in.set("shop", "GOOD", "value");
    in.store->variables().set("shop", {{"BROKEN", in.keys.seal("x", "app/other/BROKEN")}});
    auto rotation = in.variables.rotate();
    CHECK(rotation.resealed == 1);
    CHECK_FALSE(rotation.forgot_old);
    in.set("shop", "BROKEN", "mended");
    rotation = in.variables.rotate();
    CHECK(rotation.forgot_old);
    CHECK(in.value_after_restart("shop", "BROKEN") == "mended");
    CHECK(in.value_after_restart("shop", "GOOD") == "value");
}
