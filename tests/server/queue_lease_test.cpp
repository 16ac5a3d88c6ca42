// What reaches a build that runs from elsewhere: a cancel, the loss of its lease, and what was
// asked of it at its submission.
#include "queue_site.h"

#include <set>

using apps::BuildState;
using namespace queue_site;

TEST_CASE("a cancel that another process wrote into the table ends a running build") {
    Site site(1);
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    const auto gate = site.meet_at("shop", ".hold");
    REQUIRE(site.store->builds().request_cancel(build->id(), "ann asked from afar"));
    CHECK(has(follow(*build), "The build was cancelled: ann asked from afar"));
    CHECK(site.row(*build).state == BuildState::cancelled);
}

TEST_CASE("a worker whose lease was taken away is stopped and writes nothing any more") {
    Site site(1);
    site.settings.lease = std::chrono::milliseconds(300);
    site.restart();
    site.set_mode("shop", "stubborn");
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    const auto gate = site.meet_at("shop", ".hold");
    REQUIRE(site.store->builds().recover({.lost_reason = "taken away"}, "local").size() == 1);
    CHECK(has(follow(*build), "The build was lost: taken away"));
    CHECK(build->ended()->state == BuildState::lost);
    CHECK(site.row(*build).state == BuildState::lost);
    CHECK(site.row(*build).digest.empty());
    site.queue->drain({});
    CHECK(site.cleaned == 1);
}

TEST_CASE("a durable build that lost its worker's lease begins again, its log goes on") {
    Site site(1);
    site.settings.lease = std::chrono::milliseconds(300);
    site.restart();
    site.make_gate("shop", ".hold");
    const auto build = site.queue->submit(Site::durable("shop"));
    {
        const auto gate = site.meet_at("shop", ".hold");
        REQUIRE(site.store->builds().recover({}, "local").size() == 1);
        wait_for_words(*build, "This worker lost the build; it begins again");
    }
    // The second worker may have come to the gate before it was opened, or after.
    while (!build->ended()) {
        const base::UniqueFd open(
            ::open((site.directory.path() / "shop.hold").c_str(), O_WRONLY | O_NONBLOCK));
        base::Stop{}.wait(std::chrono::milliseconds(10));
    }
    CHECK(has(follow(*build), "Digest: "));
    CHECK(site.row(*build).state == BuildState::published);
    CHECK(site.row(*build).attempt == 2);
}

TEST_CASE("a server that is stopped and started often makes no build lost") {
    Site site(1);
    site.settings.most_attempts = 2;
    site.restart();
    site.make_gate("shop", ".hold");
    const auto build = site.queue->submit(Site::durable("shop"));
    base::StopSource now;
    now.request();
    for (int stop = 0; stop < 3; ++stop) {
        auto gate = site.meet_at("shop", ".hold"); // it runs
        site.queue->drain(now.stop());
        gate.reset();
        CHECK(site.row(*build).state == BuildState::queued);
        CHECK(site.row(*build).attempt == 0);
        site.restart();
    }
    site.meet_at("shop", ".hold").reset();
    if (const auto again = site.queue->find(build->id())) follow(*again);
    CHECK(site.row(*build).state == BuildState::published);
    CHECK(site.row(*build).attempt == 1);
}

TEST_CASE("a lease is renewed for as long as the build runs") {
    Site site(1);
    site.settings.lease = std::chrono::milliseconds(300);
    site.restart();
    site.make_gate("shop", ".hold");
    const auto build = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    // Far longer than the lease; the tender itself takes back what ran out.
    base::Stop{}.wait(std::chrono::milliseconds(1500));
    CHECK(site.row(*build).state == BuildState::running);
    gate.reset();
    follow(*build);
    CHECK(site.row(*build).state == BuildState::published);
}

TEST_CASE("options reach the job; the environment lies sealed in the row") {
    Site site(1);
    auto wanted = Site::submission("shop");
    wanted.options.buildpacks = {"example/one"};
    wanted.options.no_cache = wanted.options.verbose = true;
    wanted.options.environment.emplace("API_KEY", base::Secret("topsecret-value"));
    const auto build = site.queue->submit(std::move(wanted));
    follow(*build);
    const auto row = site.row(*build);
    CHECK_FALSE(has(row.options + row.sealed + row.source, "topsecret"));
    CHECK(has(row.sealed, "v1:"));
    const auto job = site.job_of(*build);
    CHECK(job["buildpacks"]["uris"][0] == "example/one");
    CHECK(job["no_cache"] == true);
    CHECK(job["verbose"] == true);
    CHECK(job["environment"]["API_KEY"] == "topsecret-value");
}

TEST_CASE("a variable of one build is its own, also where the operator has one of that name") {
    Site site(1);
    const auto make_job = site.settings.make_job;
    site.settings.make_job = [make_job](const apps::Build& build, const builder::Source& source) {
        auto job = make_job(build, source);
        for (const char* name : {"MIRROR", "THREADS"}) {
            job.environment[name] = "operators-value";
            job.operator_variables.insert(name);
        }
        return job;
    };
    site.restart();
    auto wanted = Site::submission("shop");
    wanted.options.environment.emplace("MIRROR", base::Secret("topsecret-value"));
    const auto build = site.queue->submit(std::move(wanted));
    follow(*build);
    const auto job = site.job_of(*build);
    CHECK(job["environment"]["MIRROR"] == "topsecret-value");
    CHECK(job["operator_variables"] == base::json::Value::array({"THREADS"}));
}

TEST_CASE("a dry run ends detected: the log names who would build it") {
    Site site(1);
    auto wanted = Site::submission("shop");
    wanted.options.dry_run = true;
    const auto build = site.queue->submit(std::move(wanted));
    CHECK(has(follow(*build), "-----> Nothing was built: dry run: example/one@1.0, "
                              "example/two@2.0 would build it; nothing was built\n"));
    CHECK(site.row(*build).state == BuildState::detected);
    CHECK(site.row(*build).digest.empty());
    CHECK_FALSE(site.store->builds().last_published("shop"));
}

TEST_CASE("a dry run takes no push's turn") {
    Site site(1);
    site.make_gate("blog", ".hold");
    const auto running = site.submit("blog");
    auto gate = site.meet_at("blog", ".hold");
    const auto push = site.submit("shop");
    auto wanted = Site::submission("shop");
    wanted.options.dry_run = true;
    site.queue->submit(std::move(wanted));
    CHECK(site.row(*push).state == BuildState::queued);
}

TEST_CASE("the same key asked twice is one build, also when it has ended") {
    Site site(1);
    auto wanted = Site::durable("shop");
    wanted.once = "repository+ref+commit";
    const auto build = site.queue->submit(wanted);
    const auto again = site.queue->submit(wanted);
    CHECK(again->id() == build->id());
    follow(*build);
    const auto late = site.queue->submit(wanted);
    CHECK(late->id() == build->id());
    REQUIRE(late->ended());
    CHECK(late->ended()->state == BuildState::published);
    CHECK(has(follow(*late), "Digest: "));
    CHECK(site.store->builds().count({}) == 1);
}

TEST_CASE("a held build waits for its door and then takes its place") {
    Site site(1);
    auto wanted = Site::durable("shop");
    wanted.hold = true;
    const auto held = site.queue->submit(wanted);
    const auto other = site.submit("blog");
    follow(*other);
    CHECK(site.row(*held).state == BuildState::received);
    CHECK(site.queue->accept(held->id()));
    follow(*held);
    CHECK(site.row(*held).state == BuildState::published);
    CHECK_FALSE(site.queue->accept(held->id()));
}

TEST_CASE("a waiting build is told where it stands, again only when that changes") {
    Site site(1);
    for (const auto* app : {"shop", "blog"}) site.make_gate(app, ".hold");
    const auto first = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    const auto second = site.submit("blog");
    auto third_wanted = Site::submission("blog");
    third_wanted.ref = "refs/heads/other";
    const auto third = site.queue->submit(third_wanted);
    wait_for_words(*third, "-----> 2 builds before this one");
    CHECK(site.queue->standing(third->id()).ahead == 2);
    gate.reset();
    auto next = site.meet_at("blog", ".hold");
    wait_for_words(*third, "-----> 1 build before this one");
    next.reset();
    follow(*second);
    site.meet_at("blog", ".hold").reset();
    const auto log = follow(*third);
    CHECK(log.find("1 build before this one") == log.rfind("1 build before this one"));
    CHECK(log.find("2 builds before this one") == log.rfind("2 builds before this one"));
}

TEST_CASE("how long it takes until a build begins is told from the last builds of the apps") {
    Site site(1);
    follow(*site.submit("shop"));
    auto row = site.store->builds().list({.app = "shop"}).front();
    row.started = row.finished - 90'000;
    site.store->builds().remove(row.id);
    site.store->builds().add(row);
    site.make_gate("blog", ".hold");
    const auto first = site.submit("blog");
    auto gate = site.meet_at("blog", ".hold");
    const auto second = site.submit("shop");
    wait_for_words(*second, "-----> 1 build before this one; about 2 min\n");
    CHECK(site.queue->standing(second->id()).estimate == std::chrono::seconds(90));
}

TEST_CASE("each change of a build's state is told to who asked for it, in the table's order") {
    Site site(1);
    apps::Subscription wanted;
    wanted.id = "n1";
    wanted.app = "shop";
    site.store->notices().add(wanted);
    site.store->builds().write_notices_with(
        [](const apps::Build& build, const std::optional<apps::Hook>&, const auto& subscriptions) {
            apps::Notice notice;
            notice.kind = "event";
            notice.app = build.app;
            notice.target = subscriptions.at(0).id;
            notice.subject = build.id;
            notice.payload = apps::to_string(build.state);
            return std::vector{notice};
        });
    base::Guarded<std::multiset<std::string>> changes;
    site.settings.on_change = [&](const apps::Build& build) {
        changes.lock()->emplace(apps::to_string(build.state));
        // As if the thread that took it in were held up here, while a slot has it already.
        if (build.state == BuildState::queued) {
            const auto limit = base::Stop().within(std::chrono::seconds(20));
            while (!changes.lock()->contains("published") &&
                   !limit.wait(std::chrono::milliseconds(5))) {
            }
        }
    };
    site.restart();
    const auto build = site.submit("shop");
    follow(*build);
    CHECK(*changes.lock() == std::multiset<std::string>{"published", "queued", "running"});
    std::string told;
    for (const auto& notice : site.store->notices().list_of("n1", build->id()))
        told += notice.payload + " ";
    CHECK(told == "queued running published ");
}

TEST_CASE("one owner's builds do not fill the queue of the others") {
    Site site(1);
    site.settings.longest_of_owner = 1;
    site.restart();
    site.make_gate("shop", ".hold");
    const auto running = site.submit("shop");
    auto gate = site.meet_at("shop", ".hold");
    site.submit("shop");
    auto other = Site::submission("shop");
    other.ref = "refs/heads/other";
    try {
        site.queue->submit(other);
        FAIL("it was taken");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::limit_exceeded);
    }
    CHECK(site.submit("blog"));
}

TEST_CASE("a slot that lost a build says nothing more of it once another slot here has it") {
    Site site(2);
    site.settings.lease = std::chrono::minutes(1); // no renewal tells the first slot
    site.restart();
    site.make_gate("shop", ".hold");
    const auto build = site.queue->submit(Site::durable("shop"));
    auto gate = site.meet_at("shop", ".hold");
    REQUIRE(site.store->builds().recover({}, "local").size() == 1);
    follow(*site.submit("blog")); // the other slot wakes, and takes the older one first
    const auto patience = base::Stop{}.within(std::chrono::seconds(30));
    const auto times = [&](const std::string& word) {
        std::size_t count = 0;
        const auto text = site.order("shop");
        for (auto at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
        return count;
    };
    while (times("started") < 2 || times("cancelled") < 1)
        if (patience.wait(std::chrono::milliseconds(10))) break;
    CHECK(times("cancelled") == 1); // the first worker, at once
    while (!build->ended()) {
        gate.reset();
        if (patience.wait(std::chrono::milliseconds(10))) break;
        gate = base::UniqueFd(
            ::open((site.directory.path() / "shop.hold").c_str(), O_WRONLY | O_NONBLOCK));
    }
    gate.reset();
    const auto log = follow(*build);
    CHECK(site.row(*build).state == BuildState::published);
    CHECK(site.row(*build).attempt == 2);
    CHECK(log.find("Digest: ") == log.rfind("Digest: "));
    site.queue->drain({});
    CHECK(times("ended") == 1);
    CHECK(site.cleaned == 3);
}

TEST_CASE("a build that another server ended is shown here, and told of by that one alone") {
    Site site(1);
    site.settings.lease = std::chrono::milliseconds(300);
    base::Guarded<std::string> told;
    site.settings.on_change = [&](const apps::Build& row) {
        if (row.state == BuildState::superseded) *told.lock() += row.id + " ";
    };
    site.restart();
    site.make_gate("blog", ".hold");
    const auto running = site.submit("blog");
    const auto gate = site.meet_at("blog", ".hold");
    const auto theirs = site.submit("shop");
    auto newer = site.row(*theirs);
    newer.id = apps::new_build_id();
    REQUIRE(site.store->builds().supersede(apps::Older::queued, newer, "a newer push").size() == 1);
    const auto log = follow(*theirs);
    CHECK(has(log, "The build was superseded: a newer push"));
    CHECK(log.find("superseded") == log.rfind("superseded"));
    const auto ours = site.submit("shop");
    site.submit("shop");
    CHECK(has(follow(*ours), "The build was superseded: "));
    CHECK(*told.lock() == ours->id() + " ");
}

TEST_CASE("a rebuild of an older source takes no newer push's turn") {
    Site site(1);
    site.make_gate("blog", ".hold");
    const auto running = site.submit("blog");
    auto gate = site.meet_at("blog", ".hold");
    auto push = Site::submission("shop");
    push.commit = std::string(40, 'c');
    push.previous = std::string(40, 'b');
    push.priority = 1;
    const auto newer = site.queue->submit(push);
    auto again = Site::submission("shop");
    again.retry_of = apps::new_build_id();
    const auto rebuild = site.queue->submit(again);
    CHECK(site.row(*newer).state == BuildState::queued);
    CHECK(site.row(*rebuild).retry_of == again.retry_of);
    gate.reset();
    follow(*newer);
    CHECK(site.row(*rebuild).state == BuildState::published);
    CHECK(site.row(*newer).state == BuildState::published); // the rebuild has moved no branch
}

TEST_CASE("a build whose row is gone is not waited for") {
    Site site(1);
    site.settings.lease = std::chrono::milliseconds(300);
    site.restart();
    site.make_gate("blog", ".hold");
    const auto running = site.submit("blog");
    const auto gate = site.meet_at("blog", ".hold");
    const auto waiting = site.submit("shop");
    site.store->builds().remove(waiting->id());
    CHECK(has(follow(*waiting), "The build was lost: the build was removed"));
    // Its log is whole a moment before it is forgotten.
    const auto limit = base::Stop().within(std::chrono::seconds(20));
    while (site.queue->find(waiting->id()) && !limit.wait(std::chrono::milliseconds(5))) {
    }
    CHECK_FALSE(site.queue->find(waiting->id()));
}
