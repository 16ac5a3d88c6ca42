// A build that is received, queued or running here, shared by the queue and those who watch it.
// Any thread.
#pragma once

#include "server/build_log.h"

#include "apps/records.h"

#include "base/guarded.h"
#include "base/stop.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace server {

class LiveBuild {
  public:
    LiveBuild(apps::Build row, const std::filesystem::path& log_file, std::uint64_t log_limit,
              BuildLog::Begin begin);

    const std::string& id() const noexcept { return id_; }
    const std::string& app() const noexcept { return app_; }
    BuildLog& log() noexcept { return log_; }
    // The source has left the repository: the pusher may go.
    bool is_fetched() const noexcept { return fetched_; }
    apps::Build row(); // as it is now
    // The last row of this server's: final, or still queued where the build waits for the server's
    // next start. Empty while it goes on.
    std::optional<apps::Build> ended();

  private:
    friend class Queue;
    friend class BuildRun;
    // One claim of it. Who was given up on keeps his own beside his successor's, which may be
    // another slot of this server: it says that he lost his lease, and never gets another's fence.
    struct Attempt {
        explicit Attempt(std::int64_t of_lease) : fence(of_lease) {}
        const std::int64_t fence;
        base::StopSource cancel;
        std::string cancelled_because;
        bool lease_lost = false;
        bool server_stops = false; // a cancel by the server itself, not by a person
        void lose() {
            lease_lost = true;
            cancel.request();
        }
    };
    struct Progress {
        apps::Build row;
        std::shared_ptr<Attempt> attempt; // the newest; its members under the lock. Null: none runs
        std::int64_t told_ahead = 0;
        bool in_table = false;
        bool ends = false; // somebody says so by now: nobody else does
        std::int64_t fence() const noexcept { return attempt ? attempt->fence : 0; }
    };
    // The right to say how it ended, once: true for the first who asks. It takes its last row.
    bool begin_end(const apps::Build& row);

    const std::string id_;
    const std::string app_;
    BuildLog log_;
    std::atomic<bool> fetched_ = false;
    base::Guarded<Progress> progress_;
    base::Guarded<std::optional<apps::Build>> ended_;
};

} // namespace server
