// The queue with a worker that does as it is told (fake_worker). FIFOs say where each one is: no
// test waits for a time.
#include "server/queue.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

using apps::BuildState;
using base::ErrorKind;

namespace {

class Site {
  public:
    explicit Site(std::size_t workers, std::size_t longest = 50,
                  std::chrono::seconds time = std::chrono::seconds(1800)) {
        store->add_app({"shop", 1});
        store->add_app({"blog", 1});
        server::QueueSettings settings;
        settings.workers = workers;
        settings.longest = longest;
        settings.worker.program = SLIPWAY_SOURCE_DIR "/tests/server/fake_worker";
        settings.worker.grace = std::chrono::milliseconds(300);
        settings.logs_directory = directory.path();
        settings.make_job = [this, time](const apps::Build& build, const builder::Source& source) {
            builder::Job job;
            job.id = build.id;
            job.app = build.app;
            job.source = source;
            job.environment["FAKE"] = directory.path().string();
            job.limits.time = time;
            return job;
        };
        settings.clean_up = [this](const builder::Job&) { ++cleaned; };
        queue.emplace(*store, settings);
    }

    std::shared_ptr<server::LiveBuild> submit(const std::string& app) {
        return queue->submit({app, "refs/heads/main", std::string(40, 'a'), "ann",
                              builder::GitTree{"/nowhere", std::string(40, 'a'), {}}});
    }
    void set_mode(const std::string& app, const std::string& mode) {
        base::write_file(directory.path() / (app + ".mode"), mode);
    }
    // The worker of this app will stop there until let_go().
    void make_gate(const std::string& app, const std::string& gate) {
        REQUIRE(::mkfifo((directory.path() / (app + gate)).c_str(), 0600) == 0);
    }
    // Returns once a worker stands at the gate; it goes on when the descriptor is closed.
    base::UniqueFd meet_at(const std::string& app, const std::string& gate) {
        return base::open_file(directory.path() / (app + gate), O_WRONLY);
    }
    std::string order(const std::string& app) {
        return base::read_file(directory.path() / (app + ".order"));
    }

    base::TempDir directory{"queue"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "slipway.db");
    std::atomic<int> cleaned = 0;
    std::optional<server::Queue> queue;
};

// Returns once the log holds `text`: what a worker said reaches it a moment later.
void wait_for_words(server::LiveBuild& build, std::string_view text) {
    const auto follower = build.log().follow();
    for (;;) {
        follower->clear();
        if (build.log().read(0).text.find(text) != std::string::npos) return;
        pollfd fd{follower->fd(), POLLIN, 0};
        REQUIRE(::poll(&fd, 1, 60'000) == 1);
    }
}

// Reads the whole log, until the build has ended.
std::string follow(server::LiveBuild& build, std::uint64_t offset = 0) {
    const auto follower = build.log().follow();
    std::string text;
    for (;;) {
        follower->clear();
        const auto piece = build.log().read(offset);
        text += piece.text;
        offset = piece.next;
        if (piece.over) return text;
        pollfd fd{follower->fd(), POLLIN, 0};
        if (piece.text.empty()) ::poll(&fd, 1, -1);
    }
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a published build has its row, its log and the lines for the pusher") {
    Site site(1);
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    const auto row = site.store->find_build(build->id());
    REQUIRE(row);
    CHECK(row->state == BuildState::published);
    CHECK(row->phases.size() == 2);
    CHECK(row->processes.size() == 1);
    CHECK(has(log, "-----> Building shop from aaaaaaaaaaaa (main)\n"));
    CHECK(has(log, "       Digest: " + row->digest + "\n"));
    CHECK(has(log, "docker run --rm -p 8080:8080 -e PORT=8080 " + row->reference));
    CHECK(has(log, "fetch 3 ms, build 1.5 s"));
    CHECK(has(log, "\x1b[31mred\x1b[0m")); // colours may stay
    CHECK_FALSE(has(log, "\x1b]"));        // nothing else that a terminal obeys
    site.queue->drain({});
    CHECK(site.cleaned == 1);
}

TEST_CASE("a refusal is the user's, with the phase and the hint") {
    Site site(1);
    site.set_mode("shop", "refuse");
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    CHECK(site.store->find_build(build->id())->state == BuildState::refused);
    CHECK(has(log, " !     The build failed (in the build phase): npm said no\n"));
    CHECK(has(log, "       Fix package.json.\n"));
}

TEST_CASE("a breakage is the server's and carries an incident") {
    Site site(1);
    const auto mode = GENERATE(as<std::string>{}, "broken", "crash", "garbage", "flood");
    site.set_mode("shop", mode);
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    const auto row = site.store->find_build(build->id());
    CHECK(row->state == BuildState::broken);
    CHECK_FALSE(row->reason.empty());
    CHECK(has(log, "incident " + build->id()));
    site.queue->drain({});
    CHECK(site.cleaned == 1);
}

TEST_CASE("two pushes of one app build one after the other, in order") {
    Site site(2);
    site.make_gate("shop", ".hold");
    const auto first = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto second = site.submit("shop");
    CHECK(has(second->log().read(0).text, "-----> Waiting for 1 earlier build\n"));
    CHECK(site.store->find_build(second->id())->state == BuildState::queued);
    gate.reset();
    follow(*first);
    site.meet_at("shop", ".hold").reset();
    follow(*second);
    site.queue->drain({});
    CHECK(site.order("shop") == "started " + first->id() + "\nended " + first->id() + "\nstarted " +
                                    second->id() + "\nended " + second->id() + "\n");
}

TEST_CASE("builds of two apps run beside each other when there are two workers") {
    Site site(2);
    site.make_gate("shop", ".hold");
    site.make_gate("blog", ".hold");
    const auto shop = site.submit("shop"), blog = site.submit("blog");
    const auto gates = std::pair(site.meet_at("shop", ".hold"), site.meet_at("blog", ".hold"));
    CHECK(site.store->find_build(shop->id())->state == BuildState::running);
    CHECK(site.store->find_build(blog->id())->state == BuildState::running);
}

TEST_CASE("a reader finds every line from an offset on, while the build runs and after") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    wait_for_words(*build, "-----> Fetching");
    const auto before = build->log().read(0);
    gate.reset();
    const auto rest = follow(*build, before.next);
    CHECK(has(before.text, "-----> Fetching"));
    CHECK(has(rest, "       two\n"));
    CHECK(before.text + rest ==
          server::read_log_file(site.directory.path() / (build->id() + ".log"), 0).text);
}

TEST_CASE("a running build is cancelled, even one that ignores SIGTERM") {
    Site site(1);
    const auto mode = GENERATE(as<std::string>{}, "publish", "stubborn");
    site.set_mode("shop", mode);
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    const auto gate = site.meet_at("shop", ".hold");
    CHECK(site.queue->cancel(build->id(), "because"));
    const auto log = follow(*build);
    CHECK(site.store->find_build(build->id())->state == BuildState::cancelled);
    CHECK(has(log, " !     The build was cancelled: because\n"));
    CHECK_FALSE(site.queue->cancel(build->id(), "again"));
}

TEST_CASE("a push whose branch another one moved is not built: git would refuse it after all") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto push = [&](char commit, char previous) {
        return site.queue->submit({"shop", "refs/heads/main", std::string(40, commit), "ann",
                                   builder::GitTree{"/nowhere", std::string(40, commit), {}},
                                   std::string(40, previous)});
    };
    const auto first = push('b', 'a');
    auto gate = site.meet_at("shop", ".hold");
    const auto overtaken = push('c', 'a'), next = push('d', 'b');
    gate.reset();
    CHECK(has(follow(*overtaken), "another push moved the branch first"));
    site.meet_at("shop", ".hold").reset();
    follow(*first);
    follow(*next);
    CHECK(first->ended()->state == BuildState::published);
    CHECK(overtaken->ended()->state == BuildState::cancelled);
    CHECK(next->ended()->state == BuildState::published);
}

TEST_CASE("a waiting build is cancelled at once and never starts") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto first = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto second = site.submit("blog");
    CHECK(site.queue->cancel(second->id(), "because"));
    follow(*second);
    CHECK(site.store->find_build(second->id())->state == BuildState::cancelled);
    gate.reset();
    follow(*first);
    site.queue->drain({});
    CHECK_FALSE(std::filesystem::exists(site.directory.path() / "blog.order"));
}

TEST_CASE("the source counts as fetched when the worker says so and not before") {
    Site site(1);
    site.make_gate("shop", ".fetch");
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    auto gate = site.meet_at("shop", ".fetch");
    CHECK_FALSE(build->is_fetched());
    gate.reset();
    const auto hold = site.meet_at("shop", ".hold");
    const auto follower = build->log().follow();
    while (!has(build->log().read(0).text, "one ")) {
        pollfd fd{follower->fd(), POLLIN, 0};
        ::poll(&fd, 1, -1);
        follower->clear();
    }
    CHECK(build->is_fetched());
}

TEST_CASE("a full queue and one that stops take nothing more") {
    Site site(1, 1);
    site.make_gate("shop", ".hold");
    const auto running = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    site.submit("blog");
    const auto kind = [&] {
        try {
            site.submit("blog");
        } catch (const base::Error& error) {
            return error.kind();
        }
        return ErrorKind::internal;
    };
    CHECK(kind() == ErrorKind::limit_exceeded);
    gate.reset();
    site.queue->drain({});
    CHECK(kind() == ErrorKind::unavailable);
}

TEST_CASE("draining finishes what was accepted") {
    Site site(1);
    const auto first = site.submit("shop"), second = site.submit("shop"),
               third = site.submit("blog");
    site.queue->drain({});
    for (const auto& build : {first, second, third})
        CHECK(site.store->find_build(build->id())->state == BuildState::published);
}

TEST_CASE("what a drain cannot wait for is broken, and says that the server stopped") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto running = site.submit("shop");
    const auto gate = site.meet_at("shop", ".hold");
    const auto waiting = site.submit("blog");
    site.queue->drain(base::Stop{}.within(std::chrono::seconds(0)));
    for (const auto& build : {running, waiting}) {
        const auto row = site.store->find_build(build->id());
        CHECK(row->state == BuildState::broken);
        CHECK(has(row->reason, "the server stopped"));
    }
}

TEST_CASE("an app with a build, waiting or running, is known to be busy") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    CHECK(site.queue->has_builds_of("shop"));
    CHECK_FALSE(site.queue->has_builds_of("blog"));
    gate.reset();
    site.queue->drain({});
    CHECK_FALSE(site.queue->has_builds_of("shop"));
}

TEST_CASE("a build of an app that is gone is not taken") {
    Site site(1);
    CHECK_THROWS_AS(site.submit("none"), base::Error);
}
