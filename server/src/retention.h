// What leaves by age and size: builds, logs, uploads, caches, fetched buildpacks, unpacked layers
// and the ledgers. Nothing that a running build or an app's last published one needs. Any thread;
// one prune at a time.
#pragma once

#include "state_directory.h"

#include "server/config.h"

#include "apps/store.h"

#include "base/stop.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace server {

enum class DryRun { no, yes }; // yes: only say what would go

struct PruneItem {
    std::string kind; // "build", "log", "cache", "buildpack", "layer", "upload", ...
    std::string name; // of this one; of a ledger: how many rows
    std::uint64_t bytes = 0;
    std::string reason;      // "older than 90 days"
    std::uint64_t count = 1; // of a ledger: its rows
};

struct PruneReport {
    std::vector<PruneItem> items;
    std::uint64_t bytes() const;
};

// What keeps files of its own tells what goes, and removes it unless it is a dry run.
using PrunePart = std::function<std::vector<PruneItem>(DryRun)>;

struct PruneSettings {
    const Config::Retention& config;
    const StateDirectory& state;
    apps::Store& store;
    std::vector<PrunePart> more = {};                // uploads, ...
    std::chrono::seconds deliveries{30 * 24 * 3600}; // of webhooks: webhooks.keep
};

class UploadStore;
// The part of the uploaded sources: a file goes once no place younger than `age` and no build that
// is not over needs it.
std::vector<PruneItem> prune_uploads(UploadStore& uploads, apps::Uploads& rows,
                                     std::chrono::seconds age, DryRun dry_run);

// What cannot be removed is logged and left out; the rest goes. Throws what the store throws.
PruneReport prune(const PruneSettings& settings, DryRun dry_run);

// Once a day, and as soon as there is less free space than `retention.free_space`; until the stop.
void keep_pruning(const PruneSettings& settings, const base::Stop& stop);

} // namespace server
