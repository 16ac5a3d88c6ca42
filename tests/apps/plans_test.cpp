// What the hot questions cost in SQLite's own steps, not in time: a history of 100,000 builds
// changes nothing.
#include "contract.h"

#include "base/guarded.h"

#include <map>
#include <sqlite3.h>

using namespace contract;

namespace {

struct Cost {
    long long steps = 0;      // of SQLite's machine
    long long full_scans = 0; // rows that were read because no index served
};

base::Guarded<Cost>& cost() {
    static base::Guarded<Cost> all;
    return all;
}

int count(unsigned, void*, void* statement, void*) {
    auto* const stmt = static_cast<sqlite3_stmt*>(statement);
    auto all = cost().lock();
    all->steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    all->full_scans += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    return 0;
}

int count_all_of(sqlite3* db, const char**, const void*) {
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, count, nullptr);
}

// Every connection that is opened meanwhile is counted.
class Counting {
  public:
    Counting() { sqlite3_auto_extension(entry()); }
    ~Counting() { sqlite3_cancel_auto_extension(entry()); }

  private:
    static void (*entry())() { return reinterpret_cast<void (*)()>(count_all_of); }
};

void execute(const std::filesystem::path& file, const std::string& statement) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

// Ended builds, sent notices and old deliveries of ten apps.
std::string history(int rows) {
    const std::string numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                                " WHERE i < " +
                                std::to_string(rows) + ") ";
    return numbers +
           "INSERT INTO builds (id, app, state, source_kind, commit_id, ref, pushed_by, created,"
           " started, finished, phases, digest, reference, size, processes, reason, hint,"
           " failed_phase, share, fence) SELECT printf('b0%09d', i), 'app' || (i % 10),"
           " 'published', 'git', '', 'refs/heads/main', '', i, i, i + 1, '[]', '', '', 0, '[]',"
           " '', '', '', 'owner/o' || (i % 5), i FROM n;" +
           numbers +
           "INSERT INTO deliveries (hook, delivery, event, ref, commit_id, state, reason, build,"
           " content, body_sha256, received, replays) SELECT 'h1', i, 'push', '', '', 'built', '',"
           " '', '', '', i, 0 FROM n;" +
           numbers +
           "INSERT INTO notices (kind, app, target, subject, payload, state, reason, attempts,"
           " created, due) SELECT 'status', 'app1', 'h1', i, '', 'sent', '', 1, i, i FROM n;";
}

std::map<std::string, Cost> measure(int rows) {
    const base::TempDir directory("plans");
    const auto file = directory.path() / "slipway.db";
    const Counting counting;
    const auto store = apps::open_sqlite_store(file);
    for (int i = 0; i < 10; ++i)
        store->add_app({"app" + std::to_string(i), 1, "o" + std::to_string(i % 5)});
    apps::Hook hook;
    hook.id = "h1";
    hook.app = "app1";
    store->hooks().add(hook);
    execute(file, history(rows));
    for (int i = 0; i < 40; ++i) store->builds().add(queued("app" + std::to_string(i % 10)));
    store->notices().add(
        {.kind = "status", .app = "app1", .target = "h1", .subject = "b", .due = 1});
    store->tokens().add({.id = "t1", .name = "ci", .hash = "h"});

    std::map<std::string, Cost> costs;
    const auto take = [&](const std::string& name, const std::function<void()>& question) {
        *cost().lock() = {};
        question();
        costs[name] = *cost().lock();
    };
    std::optional<apps::Claim> claim;
    const apps::RecoverSettings settings{3, "lost", "poison"};
    auto& builds = store->builds();
    take("claim", [&] { claim = builds.claim("w", std::chrono::minutes(1)); });
    REQUIRE(claim);
    take("claim, one running", [&] { REQUIRE(builds.claim("w", std::chrono::minutes(1))); });
    take("renew", [&] { builds.renew(claim->build.id, claim->fence, std::chrono::minutes(1)); });
    take("place", [&] { builds.place(builds.list({.limit = 1})[0].id); });
    take("recover", [&] { builds.recover(settings); });
    take("supersede", [&] { builds.supersede(apps::Older::queued, queued("app3"), "newer"); });
    take("add", [&] { builds.add(queued("app4"), 100, 100); });
    take("add_once", [&] { builds.add_once(queued("app4"), "once", 100, 100); });
    take("usual_duration", [&] { builds.usual_duration("app5"); });
    take("list of an app", [&] { builds.list({.app = "app5", .limit = 20}); });
    take("list of a state", [&] { builds.list({.state = BuildState::published, .limit = 20}); });
    take("finish", [&] { end(*store, *claim); });
    take("list_open_hooks", [&] { store->hooks().list_open_hooks(); });
    take("list_open", [&] { store->hooks().list_open("h1", 10); });
    take("list_ignored", [&] { store->hooks().list_ignored("h1", "c", 10); });
    take("list_waiting", [&] { store->hooks().list_waiting("h1", "c"); });
    take("list_due", [&] { store->notices().list_due(10, 10); });
    take("next_due", [&] { store->notices().next_due(); });
    take("find_by_hash", [&] { store->tokens().find_by_hash("h"); });
    take("is_used", [&] { store->uploads().is_used("sha256:abc"); });
    return costs;
}

} // namespace

TEST_CASE("100,000 ended builds make no hot question dearer") {
    auto few = measure(1'000), many = measure(100'000);
    for (const auto& [question, cost_of_many] : many) {
        CAPTURE(question, few[question].steps, cost_of_many.steps);
        CHECK(cost_of_many.steps <= few[question].steps * 3 / 2);
        CHECK(cost_of_many.full_scans == few[question].full_scans);
        CHECK(cost_of_many.steps > 0); // something was counted
    }
}
