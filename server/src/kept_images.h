// Finished images that their registry did not take, below QueueSettings::kept_directory, one folder
// for each build whose row is exporting. Their builds' slots write there, one at a time for a
// build.
#pragma once

#include "retention.h"

#include "server/queue.h"

#include "builder/job.h"

#include <chrono>
#include <filesystem>
#include <string>

namespace server {

std::filesystem::path kept_image(const QueueSettings& settings, const std::string& build);
// Whether the build's lies below QueueSettings::kept_directory.
bool is_there(const std::filesystem::path& directory, const std::string& build) noexcept;

// Takes the one that the job's worker left, if it left one. False: there is none, none is to be
// kept, or there is no room for it.
bool take_kept(const QueueSettings& settings, const builder::Job& job);
void drop_kept(const QueueSettings& settings, const std::string& build);

// How long until it is sent again, the longer the older it is: five seconds at first, five minutes
// at most. Empty: it was kept for as long as the operator wants.
std::optional<std::chrono::milliseconds> pause_of_kept(const QueueSettings& settings,
                                                       const std::string& build);

// Those whose build is over, or was never one.
std::vector<PruneItem> prune_kept(const std::filesystem::path& directory, apps::Builds& builds,
                                  DryRun dry_run);

} // namespace server
