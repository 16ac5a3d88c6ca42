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
    struct Progress {
        apps::Build row;
        std::int64_t fence = 0;  // of our lease; 0: we hold none
        base::StopSource cancel; // of this attempt
        std::string cancelled_because;
        bool lease_lost = false;
        bool server_stops = false; // a cancel by the server itself, not by a person
        std::int64_t told_ahead = 0;
    };

    const std::string id_;
    const std::string app_;
    BuildLog log_;
    std::atomic<bool> fetched_ = false;
    base::Guarded<Progress> progress_;
    base::Guarded<std::optional<apps::Build>> ended_;
};

} // namespace server
