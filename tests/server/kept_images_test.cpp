#include "kept_images.h"

#include "blob_store_contract.h"
#include "listening_socket.h"
#include "queue_site.h"

#include "builder/kept.h"
#include "builder/materials.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>

using namespace server;

namespace {

// Workers whose registry does not take the image: they leave it in their work directory. While a
// file says so the registry is away; then it is a layout.
struct KeptSite : queue_site::Site {
    KeptSite() : queue_site::Site(1) {
        queue.reset();
        settings.lease = std::chrono::milliseconds(900); // the slots look for due ones each 300 ms
        settings.kept_directory = directory.path() / "kept";
        const auto make_job = settings.make_job;
        settings.make_job = [this, make_job](const apps::Build& build,
                                             const builder::Source& source) {
            auto job = make_job(build, source);
            job.target = builder::LayoutTarget{registry, "latest"};
            if (std::filesystem::exists(away))
                job.target = builder::RegistryTarget{"127.0.0.1:1", "shop", "latest"};
            job.work_directory = directory.path() / "work" / build.id;
            if (!build.kept) leave_image(job);
            return job;
        };
        settings.on_change = [this](const apps::Build& build) {
            seen.lock()->push_back(build.state);
            seen.notify_all();
        };
        set_mode("shop", "broken");
        base::write_file(away, "");
    }
    ~KeptSite() { queue.reset(); }

    void leave_image(const builder::Job& job) {
        const auto place = builder::kept_in(job);
        std::filesystem::create_directories(place);
        const auto layout = image::open_oci_layout(builder::layout_of_kept(place));
        const auto made = contract::push_small_image(*layout, "kept", job.id);
        builder::write_kept(place, {{.reference = "unknown", .digest = made.digest().render()},
                                    "127.0.0.1:1/run@sha256:" + std::string(64, 'a'),
                                    builder::render_materials(builder::materials_of(job))});
    }
    apps::Build parked() {
        if (!queue) queue.emplace(*store, settings);
        const auto build = submit("shop");
        queue_site::follow(*build);
        return row(*build);
    }
    void come_back() { std::filesystem::remove(away); }
    void wait_for(apps::BuildState state) {
        auto states = seen.lock();
        states.wait(
            [&](const auto& all) { return std::find(all.begin(), all.end(), state) != all.end(); });
    }

    std::filesystem::path registry = directory.path() / "registry";
    std::filesystem::path away = directory.path() / "away";
    base::Guarded<std::vector<apps::BuildState>> seen;
};

} // namespace

TEST_CASE("an image that its registry does not take is kept, and those who watch are told") {
    KeptSite site;
    const auto row = site.parked();
    CHECK(row.state == apps::BuildState::exporting);
    CHECK(row.kept);
    CHECK(row.tries_again > 0);
    CHECK(row.reason == "the registry is down");
    CHECK(builder::is_kept(kept_image(site.settings, row.id)));
    const auto log = site.log_of(row.id);
    CHECK(log.find("The image is built, but not published: the registry is down") != log.npos);
    CHECK(log.find("slipway builds info " + row.id) != log.npos);
}

TEST_CASE(
    "when the registry is back the image is published without a build, also by the next server") {
    KeptSite site;
    const auto restarts = GENERATE(false, true);
    const auto row = site.parked();
    if (restarts) site.queue.reset();
    site.come_back();
    if (restarts) site.queue.emplace(*site.store, site.settings);
    site.wait_for(apps::BuildState::published);
    site.queue.reset();
    const auto published = site.store->builds().find(row.id);
    CHECK(published->state == apps::BuildState::published);
    CHECK(published->reason.empty());
    CHECK(published->tries_again == 0);
    CHECK(published->attempt == 1);
    CHECK(site.order("shop") == "started " + row.id + "\nended " + row.id + "\n");
    const auto registry = image::open_oci_layout(site.registry);
    CHECK(registry->read_manifest("latest", {})->digest.render() == published->digest);
    CHECK_FALSE(std::filesystem::exists(kept_image(site.settings, row.id)));
    CHECK(site.log_of(row.id).find("Sending the image again") != std::string::npos);
}

TEST_CASE("a newer image makes the one that waits superfluous") {
    KeptSite site;
    const auto older = site.parked();
    site.set_mode("shop", "publish");
    const auto newer = site.queue->submit(queue_site::Site::submission("shop"));
    queue_site::follow(*newer);
    site.wait_for(apps::BuildState::superseded);
    site.queue.reset();
    CHECK(site.store->builds().find(older.id)->state == apps::BuildState::superseded);
    CHECK(site.store->builds().find(older.id)->reason.find(newer->id()) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(kept_image(site.settings, older.id)));
}

TEST_CASE("a build whose image waits is cancelled, and its image goes") {
    KeptSite site;
    const auto row = site.parked();
    CHECK(site.queue->cancel(row.id, "not needed"));
    site.wait_for(apps::BuildState::cancelled);
    site.queue.reset();
    CHECK(site.store->builds().find(row.id)->state == apps::BuildState::cancelled);
    CHECK_FALSE(std::filesystem::exists(kept_image(site.settings, row.id)));
}

TEST_CASE("without room, time or a place for it an image is not kept, and the build is broken") {
    KeptSite site;
    SECTION("room") {
        site.settings.kept_bytes = 10;
    }
    SECTION("time") {
        site.settings.kept_for = std::chrono::milliseconds(0);
    }
    SECTION("a place") {
        site.settings.kept_directory.clear();
    }
    const auto row = site.parked();
    CHECK(row.state == apps::BuildState::broken);
    CHECK_FALSE(row.kept);
    CHECK(row.reason == "the registry is down");
}

TEST_CASE(
    "an image that a fault of the server's own keeps from being sent is sent when it is over") {
    std::atomic<int> tries = 0;
    KeptSite site;
    site.settings.make_job = [&tries, make_job = site.settings.make_job](
                                 const apps::Build& build, const builder::Source& source) {
        const int before = build.kept ? tries++ : 2;
        if (before == 0)
            throw base::Error(base::ErrorKind::limit_exceeded, "the server's disk is nearly full");
        if (before == 1) throw std::runtime_error("there is no memory");
        return make_job(build, source);
    };
    const auto row = site.parked();
    site.come_back();
    site.wait_for(apps::BuildState::published);
    site.queue.reset();
    CHECK(tries == 3);
    const auto log = site.log_of(row.id);
    CHECK(log.find("not published: the server's disk is nearly full") != log.npos);
    CHECK(log.find("not published: there is no memory") != log.npos);
    CHECK(site.store->builds().find(row.id)->attempt == 1);
}

TEST_CASE("a finished image whose row the last server could not park is sent by the next one") {
    KeptSite site;
    auto other = site.parked();
    site.queue.reset();
    // As a server leaves it that dies between keeping an image and parking its row.
    const auto image = kept_image(site.settings, other.id);
    other.id = "b000000000000";
    other.app = "blog";
    other.state = apps::BuildState::queued;
    site.store->builds().add(other);
    REQUIRE(site.store->builds().claim(site.settings.name, std::chrono::minutes(1)));
    std::filesystem::rename(image, kept_image(site.settings, other.id));
    site.come_back();
    site.queue.emplace(*site.store, site.settings);
    site.wait_for(apps::BuildState::published);
    site.queue.reset();
    CHECK(site.store->builds().find(other.id)->state == apps::BuildState::published);
}

TEST_CASE("images that a registry never answers for keep no build waiting") {
    const auto listener = listen_at("127.0.0.1"); // takes connections and says nothing
    KeptSite site;
    site.settings.make_job = [host = "127.0.0.1:" + std::to_string(listener.second),
                              make_job = site.settings.make_job](const apps::Build& build,
                                                                 const builder::Source& source) {
        auto job = make_job(build, source);
        if (build.kept) job.target = builder::RegistryTarget{host, build.app, "latest"};
        return job;
    };
    const auto stuck = site.parked();
    const base::UniqueFd sending(::accept(listener.first.get(), nullptr, nullptr));
    REQUIRE(sending);
    site.set_mode("blog", "publish");
    const auto build = site.submit("blog"); // there is one worker
    queue_site::follow(*build);
    CHECK(site.row(*build).state == apps::BuildState::published);
    const auto row = site.store->builds().find(stuck.id);
    CHECK(row->state == apps::BuildState::exporting);
    CHECK(row->tries_again == 0); // it is still being sent
    site.queue.reset();
}

TEST_CASE("kept images of builds that are over are pruned") {
    KeptSite site;
    const auto row = site.parked();
    site.queue.reset();
    const auto& kept = site.settings.kept_directory;
    std::filesystem::create_directories(kept / "b000000000000");
    const auto pruned = [&](DryRun dry_run) {
        std::string names;
        for (const auto& item : prune_kept(kept, site.store->builds(), dry_run)) names += item.name;
        return names;
    };
    CHECK(pruned(DryRun::yes) == "b000000000000");
    CHECK(pruned(DryRun::no) == "b000000000000");
    CHECK(pruned(DryRun::no).empty());
    CHECK(builder::is_kept(kept / row.id));
}
