// What a server that was killed leaves in the table, and what the next one makes of it. The rows
// are written as the dead one left them.
#include "server/queue.h"

#include "base/crypto.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <poll.h>

using apps::BuildState;
using namespace std::chrono_literals;

namespace {

class Table {
  public:
    Table() {
        for (const auto* app : {"shop", "blog", "wiki"}) store->add_app({app, 1});
        settings.name = "this server";
        settings.worker.program = SLIPWAY_SOURCE_DIR "/tests/server/fake_worker";
        settings.logs_directory = directory.path();
        settings.make_job = [this](const apps::Build& build, const builder::Source& source) {
            builder::Job job;
            job.id = build.id;
            job.app = build.app;
            job.source = source;
            job.environment["FAKE"] = directory.path().string();
            return job;
        };
        settings.clean_up = [](const builder::Job&) {};
    }

    apps::Build add(const std::string& app, BuildState state, bool durable,
                    const std::string& worker = "this server") {
        apps::Build build;
        build.id = apps::new_build_id();
        build.app = app;
        build.state = state;
        build.source_kind = "git";
        build.commit = std::string(40, 'a');
        build.ref = "refs/heads/main";
        build.source = builder::render_source(builder::GitTree{"/nowhere", build.commit, {}});
        build.durable = durable;
        build.worker = worker;
        build.created = apps::now_milliseconds();
        store->builds().add(build);
        base::write_file(log_file(build.id), "-----> Building\n       a torn li");
        return build;
    }
    // As often as a worker of the dead server had it.
    apps::Build hold(const std::string& app, bool durable, int attempts = 1) {
        const auto build = add(app, BuildState::queued, durable);
        for (int i = 0; i < attempts; ++i) {
            if (i > 0) store->builds().recover({.most_attempts = 100}, "this server");
            const auto claim = store->builds().claim("this server", 1h);
            REQUIRE(claim);
            REQUIRE(claim->build.id == build.id);
        }
        return build;
    }
    void start() { queue.emplace(*store, settings); }
    void run_out() {
        for (const auto state : {BuildState::queued, BuildState::running, BuildState::exporting})
            for (const auto& build : store->builds().list({.state = state}))
                if (const auto live = queue->find(build.id)) wait_for_end(*live);
    }
    apps::Build row(const apps::Build& build) { return *store->builds().find(build.id); }
    std::filesystem::path log_file(const std::string& id) {
        return directory.path() / (id + ".log");
    }
    std::string log(const apps::Build& build) { return base::read_file(log_file(build.id)); }

    static void wait_for_end(server::LiveBuild& build) {
        const auto follower = build.log().follow();
        while (!build.ended()) {
            pollfd fd{follower->fd(), POLLIN, 0};
            REQUIRE(::poll(&fd, 1, 60'000) == 1);
            follower->clear();
        }
    }

    base::TempDir directory{"restart"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    server::QueueSettings settings;
    std::optional<server::Queue> queue;
};

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a running build of a dead server begins again when its source is still there") {
    Table table;
    const auto build = table.hold("shop", true);
    table.start();
    table.run_out();
    CHECK(table.row(build).state == BuildState::published);
    CHECK(table.row(build).attempt == 2);
    CHECK(has(table.log(build), "-----> Building\n-----> The server was restarted; this will be "
                                "attempt 2 of 3\n"));
    CHECK(has(table.log(build), "Digest: "));
}

TEST_CASE("a running build whose source died with its server is lost, with a way out") {
    Table table;
    const auto build = table.hold("shop", false);
    table.start();
    CHECK(table.row(build).state == BuildState::lost);
    CHECK(table.row(build).finished > 0);
    CHECK(has(table.log(build), " !     The build was lost: the server stopped while this build "
                                "ran; push again\n"));
}

TEST_CASE("a build that takes its server down each time is not begun for ever") {
    Table table;
    const auto build = table.hold("shop", true, 3);
    table.start();
    CHECK(table.row(build).state == BuildState::lost);
    CHECK(has(table.row(build).reason, "began 3 times"));
    CHECK(has(table.log(build), "began 3 times"));
}

TEST_CASE("waiting builds of a dead server wait again, or are lost with their pushes") {
    Table table;
    const auto kept = table.add("shop", BuildState::queued, true);
    const auto pushed = table.add("blog", BuildState::queued, false);
    table.start();
    table.run_out();
    CHECK(table.row(kept).state == BuildState::published);
    CHECK(table.row(pushed).state == BuildState::lost);
    CHECK(has(table.log(pushed), "Push again."));
}

TEST_CASE("a received build counts when its door had finished, and is lost otherwise") {
    Table table;
    const auto arrived = table.add("shop", BuildState::received, true);
    const auto torn = table.add("blog", BuildState::received, true);
    table.settings.has_arrived = [&](const apps::Build& build) { return build.id == arrived.id; };
    table.start();
    table.run_out();
    CHECK(table.row(arrived).state == BuildState::published);
    CHECK(table.row(torn).state == BuildState::lost);
}

TEST_CASE("what another server on the database holds or has taken in is left alone") {
    Table table;
    const auto theirs = table.add("blog", BuildState::queued, true, "another server");
    REQUIRE(table.store->builds().claim("another server", 1h)->build.id == theirs.id);
    const auto received = table.add("wiki", BuildState::received, false, "another server");
    table.start();
    CHECK(table.row(theirs).state == BuildState::running);
    CHECK(table.row(received).state == BuildState::received);
}

TEST_CASE("a build whose lease runs out with its worker begins again here") {
    Table table;
    table.settings.lease = 300ms;
    const auto build = table.add("shop", BuildState::queued, true, "another server");
    REQUIRE(table.store->builds().claim("another server", 1ms));
    table.start();
    const auto limit = base::Stop{}.within(60s);
    while (!apps::is_over(table.row(build).state) && !limit.wait(20ms)) {
    }
    CHECK(table.row(build).state == BuildState::published);
    CHECK(table.row(build).attempt == 2);
}
