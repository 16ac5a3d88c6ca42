// The parts of a prune (retention.h), each for one kind of thing.
#pragma once

#include "retention.h"

#include <chrono>

namespace server {

std::vector<PruneItem> prune_builds(const PruneSettings& settings, DryRun dry_run);
// builds: those that left, or would, with their logs.
std::vector<PruneItem> prune_logs(const PruneSettings& settings, DryRun dry_run,
                                  const std::vector<PruneItem>& builds);
std::vector<PruneItem> prune_caches(const PruneSettings& settings, DryRun dry_run);
std::vector<PruneItem> prune_buildpacks(const PruneSettings& settings, DryRun dry_run);
std::vector<PruneItem> prune_layers(const PruneSettings& settings, DryRun dry_run);
std::vector<PruneItem> prune_ledgers(const PruneSettings& settings, DryRun dry_run);

std::int64_t before(std::chrono::seconds age);    // now, in milliseconds, less the age
std::string days_of(std::chrono::seconds age);    // "90 days"; of less than one, as human_duration
std::string older_than(std::chrono::seconds age); // "older than 90 days"
// Apparent bytes of a file or a tree; links are not followed. 0 for what is not there.
std::uint64_t bytes_of(const std::filesystem::path& path);

} // namespace server
