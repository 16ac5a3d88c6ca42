#include "server/live_build.h"

#include <utility>

namespace server {

LiveBuild::LiveBuild(apps::Build row, const std::filesystem::path& log_file,
                     std::uint64_t log_limit, BuildLog::Begin begin)
    : id_(row.id), app_(row.app), log_(log_file, log_limit, begin) {
    progress_.lock()->row = std::move(row);
}

apps::Build LiveBuild::row() {
    return progress_.lock()->row;
}

bool LiveBuild::begin_end(const apps::Build& row) {
    auto progress = progress_.lock();
    if (std::exchange(progress->ends, true)) return false;
    progress->row = row;
    return true;
}

std::optional<apps::Build> LiveBuild::ended() {
    return *ended_.lock();
}

} // namespace server
