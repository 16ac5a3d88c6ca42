// What PostgreSQL alone can do: be restarted, be gone, ask for a password, meet a deadlock.
#include "contract.h"

#include "base/guarded.h"
#include "base/task_group.h"

#include <set>

using namespace contract;

namespace {

std::unique_ptr<apps::Store> open(const PostgresqlProcess& server,
                                  const std::string& password = {}) {
    return apps::open_store({}, server.connection(), password);
}

} // namespace

TEST_CASE("while PostgreSQL is gone the store is unavailable, and serves again without a restart") {
    if (PostgresqlProcess::is_missing()) return;
    PostgresqlProcess server;
    const auto store = open(server);
    store->add_app({"shop", 1});
    server.stop();
    CHECK(kind_of([&] { store->add_app({"blog", 1}); }) == ErrorKind::unavailable);
    CHECK(kind_of([&] { store->find_app("shop"); }) == ErrorKind::unavailable);
    CHECK(kind_of([&] { store->database().check(); }) == ErrorKind::unavailable);
    CHECK(store->database().faults() == 3);
    server.start();
    store->database().check();
    CHECK(store->find_app("shop"));
    CHECK_FALSE(store->find_app("blog"));
    store->add_app({"blog", 1});

    server.stop(); // between two calls: nobody has to notice
    server.start();
    store->add_app({"wiki", 1});
    CHECK(store->list_apps().size() == 3);
}

TEST_CASE("what was acknowledged around a restart is there, word for word") {
    if (PostgresqlProcess::is_missing()) return;
    PostgresqlProcess server;
    const auto store = open(server);
    base::Guarded<std::set<std::string>> acknowledged;
    base::Guarded<int> refused(0);
    base::TaskGroup writers;
    for (int thread = 0; thread < 4; ++thread)
        writers.start([&, thread](const base::Stop& stop) {
            for (int i = 0; !stop.requested(); ++i) {
                const auto name = std::to_string(thread) + "-" + std::to_string(i);
                try {
                    store->set_setting(name, "kept");
                    acknowledged.lock()->insert(name);
                    acknowledged.notify_all();
                } catch (const base::Error& error) {
                    if (error.kind() != ErrorKind::unavailable) throw;
                    ++*refused.lock();
                    refused.notify_all();
                }
            }
        });
    const auto wait_for_more = [&] {
        auto now = acknowledged.lock();
        const auto before = now->size();
        now.wait([&](const auto& names) { return names.size() >= before + 50; });
    };
    wait_for_more();
    server.stop();
    {
        auto now = refused.lock();
        now.wait([](int count) { return count >= 4; });
    }
    server.start();
    wait_for_more();
    writers.request_stop();
    writers.join();
    const auto names = *acknowledged.lock();
    std::size_t lost = 0;
    for (const auto& name : names) lost += store->find_setting(name) ? 0 : 1;
    CHECK(names.size() >= 100);
    CHECK(lost == 0);
}

TEST_CASE("a password with every kind of quote opens the database, another does not") {
    if (PostgresqlProcess::is_missing()) return;
    const std::string password = R"(it's \a "very" secret%20one)";
    PostgresqlProcess server({.password = R"(it's \a very secret%20one)"});
    CHECK(open(server, R"(it's \a very secret%20one)")->list_apps().empty());
    CHECK(kind_of([&] { open(server, "wrong"); }) == ErrorKind::unavailable);
    CHECK(kind_of([&] { open(server, password); }) == ErrorKind::invalid_input);
    try {
        open(server, "wrong");
    } catch (const base::Error& error) {
        CHECK(error.message().find("password authentication failed") != std::string::npos);
        CHECK(error.message().find("wrong") == std::string::npos);
    }
}

TEST_CASE("a connection that is none is the operator's to mend") {
    CHECK(kind_of([] { apps::open_postgresql("postgresql://[::1/x"); }) ==
          ErrorKind::invalid_input);
    CHECK(kind_of([] { apps::open_postgresql("colour=blue"); }) == ErrorKind::invalid_input);
    CHECK(kind_of([] { apps::open_postgresql("postgresql:///x?host=/nowhere"); }) ==
          ErrorKind::unavailable);
}

TEST_CASE("transactions that lock each other out are tried again, and all of them succeed") {
    if (PostgresqlProcess::is_missing()) return;
    PostgresqlProcess server({.settings = {"deadlock_timeout=10ms"}});
    const auto store = open(server);
    store->add_app({"shop", 1});
    std::vector<apps::Variable> forwards, backwards;
    for (int i = 0; i < 30; ++i) forwards.push_back({"V" + std::to_string(i), "x"});
    backwards.assign(forwards.rbegin(), forwards.rend());
    base::TaskGroup writers;
    for (int thread = 0; thread < 4; ++thread)
        writers.start([&, thread](const base::Stop&) {
            for (int i = 0; i < 25; ++i)
                store->variables().set("shop", thread % 2 ? forwards : backwards);
        });
    writers.join();
    CHECK(store->variables().list("shop").size() == 30);
    CHECK(server.query("postgres", "SELECT deadlocks > 0 FROM pg_stat_database"
                                   " WHERE datname = 'postgres'") == "t\n");
}

TEST_CASE("two servers that start on an empty database at once both find its tables") {
    if (PostgresqlProcess::is_missing()) return;
    PostgresqlProcess server;
    base::TaskGroup starts;
    for (int i = 0; i < 4; ++i) starts.start([&](const base::Stop&) { open(server)->list_apps(); });
    starts.join();
    // Each step once.
    CHECK(server.query("postgres", "SELECT COUNT(*) > 1 AND COUNT(*) = MAX(version)"
                                   " AND COUNT(*) = COUNT(DISTINCT version)"
                                   " FROM schema_version") == "t\n");
}
