// The queue with a worker that does as it is told (fake_worker). FIFOs say where each one is: no
// test waits for a time.
#include "queue_site.h"

using apps::BuildState;
using base::ErrorKind;

using namespace queue_site;

TEST_CASE("a published build has its row, its log and the lines for the pusher") {
    Site site(1);
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    const auto row = site.store->builds().find(build->id());
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

TEST_CASE("a source without a commit and a branch is built from neither") {
    Site site(1);
    auto archive = Site::submission("shop");
    archive.commit = archive.ref = "";
    CHECK(has(follow(*site.queue->submit(archive)), "-----> Building shop\n"));
    auto version = archive;
    version.commit = "v1.2";
    CHECK(has(follow(*site.queue->submit(version)), "-----> Building shop from v1.2\n"));
}

TEST_CASE("a refusal is the user's, with the phase and the hint") {
    Site site(1);
    site.set_mode("shop", "refuse");
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    CHECK(site.store->builds().find(build->id())->state == BuildState::refused);
    CHECK(has(log, " !     The build failed (in the build phase): npm said no\n"));
    CHECK(has(log, "       Fix package.json.\n"));
}

TEST_CASE("a breakage is the server's and carries an incident") {
    Site site(1);
    const auto mode = GENERATE(as<std::string>{}, "broken", "crash", "garbage", "flood");
    site.set_mode("shop", mode);
    const auto build = site.submit("shop");
    const auto log = follow(*build);
    const auto row = site.store->builds().find(build->id());
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
    wait_for_words(*second, "-----> 1 build before this one\n");
    CHECK(site.store->builds().find(second->id())->state == BuildState::queued);
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
    CHECK(site.store->builds().find(shop->id())->state == BuildState::running);
    CHECK(site.store->builds().find(blog->id())->state == BuildState::running);
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
    CHECK(site.store->builds().find(build->id())->state == BuildState::cancelled);
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
    const auto overtaken = push('c', 'a');
    gate.reset();
    CHECK(has(follow(*overtaken), "another push moved the branch first"));
    CHECK(first->ended()->state == BuildState::published);
    CHECK(overtaken->ended()->state == BuildState::cancelled);
    const auto next = push('d', 'b');
    site.meet_at("shop", ".hold").reset();
    follow(*next);
    CHECK(next->ended()->state == BuildState::published);
}

TEST_CASE("the newest push takes the turn of an older one that waits, and its pusher is told") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto running = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto older = site.submit("shop");
    auto elsewhere = Site::submission("shop");
    elsewhere.ref = "refs/heads/other";
    const auto other_branch = site.queue->submit(elsewhere);
    const auto newer = site.submit("shop");
    CHECK(has(follow(*older), " !     The build was superseded: a newer push of main took its "
                              "turn: build " +
                                  newer->id() + "\n"));
    CHECK(older->ended()->state == BuildState::superseded);
    CHECK(site.row(*older).state == BuildState::superseded);
    CHECK(site.row(*other_branch).state == BuildState::queued);
    CHECK(site.row(*running).state == BuildState::running);
    gate.reset();
    follow(*running);
    site.meet_at("shop", ".hold").reset();
    follow(*other_branch);
    site.meet_at("shop", ".hold").reset();
    follow(*newer);
    CHECK_FALSE(has(site.order("shop"), older->id()));
}

TEST_CASE("a waiting build is cancelled at once and never starts") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto first = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto second = site.submit("blog");
    CHECK(site.queue->cancel(second->id(), "because"));
    follow(*second);
    CHECK(site.store->builds().find(second->id())->state == BuildState::cancelled);
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

TEST_CASE("a drain waits for what runs; what waits stays for the next start where it can") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto running = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto push = site.submit("blog");
    const auto kept = site.queue->submit(Site::durable("shop"));
    gate.reset();
    site.queue->drain({});
    CHECK(site.row(*running).state == BuildState::published);
    CHECK(site.row(*push).state == BuildState::lost);
    CHECK(has(follow(*push), " !     The build was lost: the server stopped before this build "
                             "began\n       Push again.\n"));
    CHECK(site.row(*kept).state == BuildState::queued);
    CHECK(has(follow(*kept), "this build begins when it is back"));

    std::filesystem::remove(site.directory.path() / "shop.hold");
    site.restart();
    if (const auto again = site.queue->find(kept->id())) follow(*again);
    CHECK(site.row(*kept).state == BuildState::published);
    CHECK(site.row(*kept).attempt == 1);
}

TEST_CASE("what a drain cannot wait for is lost, or begins again with the server") {
    Site site(2);
    site.make_gate("shop", ".hold");
    site.make_gate("blog", ".hold");
    const auto pushed = site.submit("shop");
    const auto kept = site.queue->submit(Site::durable("blog"));
    {
        const auto gates = std::pair(site.meet_at("shop", ".hold"), site.meet_at("blog", ".hold"));
        site.queue->drain(base::Stop{}.within(std::chrono::seconds(0)));
    }
    CHECK(site.row(*pushed).state == BuildState::lost);
    CHECK(has(site.row(*pushed).reason, "the server stopped"));
    CHECK(site.row(*kept).state == BuildState::queued);
    std::filesystem::remove(site.directory.path() / "blog.hold");
    site.restart();
    if (const auto again = site.queue->find(kept->id())) follow(*again);
    CHECK(site.row(*kept).state == BuildState::published);
    CHECK(site.row(*kept).attempt == 1); // a stop in good order was none
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
