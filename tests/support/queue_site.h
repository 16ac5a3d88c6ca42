// A queue with workers that do as they are told (tests/server/fake_worker). FIFOs say where each
// one is: no test waits for a time.
#pragma once

#include "server/queue.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace queue_site {

class Site {
  public:
    explicit Site(std::size_t workers, std::size_t longest = 50,
                  std::chrono::seconds time = std::chrono::seconds(1800)) {
        store->add_app({"shop", 1});
        store->add_app({"blog", 1});
        settings.workers = workers;
        settings.longest = longest;
        settings.worker.program = SLIPWAY_SOURCE_DIR "/tests/server/fake_worker";
        settings.worker.grace = std::chrono::milliseconds(300);
        settings.logs_directory = directory.path();
        settings.keys = &keys;
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

    // As a server that starts again on what the last one left.
    void restart() {
        queue.reset();
        queue.emplace(*store, settings);
    }
    static server::Submission submission(const std::string& app) {
        return {app, "refs/heads/main", std::string(40, 'a'), "ann",
                builder::GitTree{"/nowhere", std::string(40, 'a'), {}}};
    }
    static server::Submission durable(const std::string& app) {
        auto wanted = submission(app);
        wanted.durable = true;
        return wanted;
    }
    apps::Build row(const server::LiveBuild& build) {
        const auto found = store->builds().find(build.id());
        REQUIRE(found);
        return *found;
    }
    std::string log_of(const std::string& id) {
        return server::read_log_file(directory.path() / (id + ".log"), 0).text;
    }
    base::json::Value job_of(const server::LiveBuild& build) {
        return base::json::parse(base::read_file(directory.path() / (build.id() + ".job")), "job");
    }
    std::shared_ptr<server::LiveBuild> submit(const std::string& app) {
        return queue->submit(submission(app));
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
    base::KeyRing keys = base::KeyRing::open(directory.path() / "keys");
    std::atomic<int> cleaned = 0;
    server::QueueSettings settings;
    std::optional<server::Queue> queue;
};

// Returns once the log holds `text`: what a worker said reaches it a moment later.
inline void wait_for_words(server::LiveBuild& build, std::string_view text) {
    const auto follower = build.log().follow();
    for (;;) {
        follower->clear();
        if (build.log().read(0).text.find(text) != std::string::npos) return;
        pollfd fd{follower->fd(), POLLIN, 0};
        REQUIRE(::poll(&fd, 1, 60'000) == 1);
    }
}

// Reads the whole log, until the build has ended.
inline std::string follow(server::LiveBuild& build, std::uint64_t offset = 0) {
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

inline bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace queue_site
