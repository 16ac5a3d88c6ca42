// Two transactions on one row at once, on PostgreSQL: its statements see what is committed, and a
// row may change between the one that reads and the one that writes. SQLite has one writer.
#include "contract.h"

#include "base/stop.h"
#include "base/task_group.h"

using namespace contract;
using namespace std::chrono_literals;

namespace {

// One database and a transaction of another program that is under way in it: it has run its
// statement, and commits once somebody waits for it.
class Race {
  public:
    Race() : database_(postgresql().fresh_database()), store_(open()) {
        store_->add_app({"shop", 1});
    }
    apps::Builds& builds() { return store_->builds(); }
    apps::Store& store() { return *store_; }

    void run_beside(const std::string& statement, const std::function<void()>& ours) {
        base::TaskGroup other;
        other.start([&](const base::Stop&) {
            postgresql().query(database_, statement + "; DO $$ BEGIN"
                                                      " WHILE NOT EXISTS (SELECT 1 FROM pg_locks"
                                                      " WHERE NOT granted) LOOP"
                                                      " PERFORM pg_sleep(0.01); END LOOP; END $$");
        });
        while (postgresql().query(database_, "SELECT 1 FROM pg_locks WHERE mode ="
                                             " 'RowExclusiveLock' AND relation ="
                                             " 'builds'::regclass") != "1\n")
            base::Stop{}.wait(10ms);
        ours();
        other.join();
    }

  private:
    std::unique_ptr<apps::Store> open() const {
        return apps::open_store({}, postgresql().connection(database_), {});
    }
    const std::string database_;
    std::unique_ptr<apps::Store> store_;
};

const apps::RecoverSettings settings{3, "its source is gone", "it took its worker down"};

} // namespace

TEST_CASE("a build that its worker finishes while it is taken back stays as it was finished") {
    if (PostgresqlProcess::is_missing()) return;
    Race race;
    race.builds().add(queued("shop", "b1"));
    REQUIRE(race.builds().claim("slow", 0ms));
    std::vector<Build> changed;
    race.run_beside("UPDATE builds SET state = 'published', digest = 'sha256:1' WHERE id = 'b1'",
                    [&] { changed = race.builds().recover(settings); });
    CHECK(changed.empty());
    CHECK(race.builds().find("b1")->state == BuildState::published);
    CHECK(race.builds().find("b1")->reason.empty());
}

TEST_CASE("a lease that is renewed while it is taken back is kept") {
    if (PostgresqlProcess::is_missing()) return;
    Race race;
    race.builds().add(queued("shop", "b1"));
    const auto claim = race.builds().claim("slow", 0ms);
    REQUIRE(claim);
    std::vector<Build> changed;
    race.run_beside("UPDATE builds SET lease = lease + 3600000 WHERE id = 'b1'",
                    [&] { changed = race.builds().recover(settings); });
    CHECK(changed.empty());
    CHECK(race.builds().find("b1")->state == BuildState::running);
    CHECK(race.builds().renew("b1", claim->fence, 1min));
}

TEST_CASE("a build that is cancelled while a newer one supersedes it stays cancelled") {
    if (PostgresqlProcess::is_missing()) return;
    Race race;
    for (const char* id : {"b1", "b2", "b3"}) race.builds().add(queued("shop", id));
    std::vector<std::string> ids;
    race.run_beside("UPDATE builds SET state = 'cancelled', reason = 'ann' WHERE id = 'b1'", [&] {
        ids = race.builds().supersede(apps::Older::queued, queued("shop", "b3"), "newer");
    });
    CHECK(ids == std::vector<std::string>{"b2"});
    CHECK(race.builds().find("b1")->state == BuildState::cancelled);
    CHECK(race.builds().find("b1")->reason == "ann");
}

TEST_CASE("a build that is cancelled while it is claimed is not run; the next one is") {
    if (PostgresqlProcess::is_missing()) return;
    Race race;
    for (const char* id : {"b1", "b2"}) race.builds().add(queued("shop", id));
    std::optional<apps::Claim> claim;
    race.run_beside("UPDATE builds SET state = 'cancelled' WHERE id = 'b1'",
                    [&] { claim = race.builds().claim("w", 1min); });
    REQUIRE(claim);
    CHECK(claim->build.id == "b2");
    CHECK(race.builds().find("b1")->state == BuildState::cancelled);
}

TEST_CASE("an app to which a build is being added is not removed") {
    if (PostgresqlProcess::is_missing()) return;
    Race race;
    race.builds().add(queued("shop", "b1"));
    race.builds().supersede(apps::Older::queued, queued("shop", "b2"), "over");
    ErrorKind kind = ErrorKind::internal;
    race.run_beside("CREATE TEMP TABLE copy AS SELECT * FROM builds;"
                    " UPDATE copy SET id = 'b3', state = 'queued';"
                    " INSERT INTO builds SELECT * FROM copy",
                    [&] { kind = kind_of([&] { race.store().remove_app("shop"); }); });
    CHECK(kind == ErrorKind::already_exists);
}
