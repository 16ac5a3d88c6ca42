// What the server's own registry holds for nobody: manifests of apps that no tag and no kept build
// names, and blobs that are part of no manifest. Any thread; one at a time.
#pragma once

#include "registry_files.h"
#include "retention.h"

#include "base/stop.h"

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace server {

struct RegistryGarbage {
    struct Manifest {
        std::string repository;
        image::Digest digest;
    };
    struct Tag {
        std::string repository;
        std::string name;
    };
    std::vector<Manifest> manifests;
    std::vector<Tag> tags; // beside an image that leaves: its referrers, its signatures
    std::uint64_t blobs = 0;
    std::uint64_t bytes = 0; // of these
};

// What an app's repository must keep besides what its tags name; by repository. One that is not in
// it is no app's, and nothing of it leaves.
using NamedImages = std::map<std::string, std::set<image::Digest>>;

// Of each app the digests of its published builds that are kept.
NamedImages images_of_apps(apps::Store& store);

// younger: manifests written since then stay: whoever pushes may name them yet.
RegistryGarbage find_garbage(const RegistryFiles& files, const NamedImages& named,
                             std::filesystem::file_time_type younger);

struct RegistryPrune {
    RegistryFiles files;
    apps::Store& store;
    std::chrono::seconds age; // retention.images
    // Runs its argument while no build runs and nothing can be written; false: that could not be
    // had now, and nothing was run.
    std::function<bool(const std::function<void()>&)> alone;
    // Removes the blobs that no manifest has.
    std::function<void()> sweep;
};
// The part of a prune (retention.h).
std::vector<PruneItem> prune_registry(const RegistryPrune& settings, DryRun dry_run);

} // namespace server
