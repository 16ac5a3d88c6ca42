// Caches, fetched buildpacks and unpacked layers: directories that a build may take at any moment.
// What one uses (base/in_use.h; of a cache the table tells) stays. The rest goes by a rename first,
// so that nobody finds half of it.
#include "retention_parts.h"

#include "image/image.h"
#include "image/reference.h"
#include "registry/image_store.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/in_use.h"
#include "base/json.h"
#include "base/log.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <sys/stat.h>

namespace server {
namespace {

namespace fs = std::filesystem;
using apps::BuildState;
using Clock = fs::file_time_type::clock;

// Of what this server is about to remove; nobody looks for such names.
constexpr std::string_view leaving = ".leaving-";

std::vector<fs::path> entries(const fs::path& directory) {
    std::vector<fs::path> paths;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(directory, none)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
}

bool is_unused_for(const fs::path& path, std::chrono::seconds age) {
    std::error_code gone;
    const auto used = fs::last_write_time(path, gone);
    return !gone && Clock::now() - used > age;
}

bool remove_renamed(const fs::path& path) {
    try {
        base::remove_tree(path);
        return true;
    } catch (const std::exception& error) {
        base::log::warning("what is old could not be removed",
                           {{"path", path.native()}, {"reason", error.what()}});
        return false;
    }
}

// False: it is used, or `goes` says no, asked while nobody can begin to use it.
bool take_away(const fs::path& path, DryRun dry_run, const std::function<bool()>& goes) {
    if (path.filename().string().starts_with(leaving)) // of a prune that was cut off
        return dry_run == DryRun::yes || remove_renamed(path);
    const auto away = path.parent_path() / (std::string(leaving) + path.filename().string());
    bool gone = false;
    try {
        base::while_unused(path, [&] {
            gone = goes();
            if (!gone || dry_run == DryRun::yes) return;
            base::remove_tree(away);
            fs::rename(path, away);
        });
    } catch (const std::exception& error) {
        base::log::warning("what is old could not be taken away",
                           {{"path", path.native()}, {"reason", error.what()}});
        return false;
    }
    return gone && (dry_run == DryRun::yes || remove_renamed(away));
}

bool is_building(apps::Store& store, const std::string& app) {
    for (const auto state : {BuildState::running, BuildState::exporting})
        if (store.builds().count({.app = app, .state = state}) > 0) return true;
    return false;
}

std::string unused_for(std::chrono::seconds age) {
    return "unused for " + days_of(age);
}

class Leavers {
  public:
    explicit Leavers(DryRun dry_run) : dry_run_(dry_run) {}
    // Unless it is used, or `goes` says no; true: it goes.
    bool take(
        const char* kind, const fs::path& path, std::string reason,
        const std::function<bool()>& goes = [] { return true; }) {
        const auto bytes = bytes_of(path);
        if (!take_away(path, dry_run_, goes)) return false;
        items_.push_back({kind, path.filename().string(), bytes, std::move(reason)});
        return true;
    }
    std::vector<PruneItem> items() { return std::move(items_); }

  private:
    DryRun dry_run_;
    std::vector<PruneItem> items_;
};

struct Cache {
    fs::path path;
    std::int64_t used = 0; // when the app's last build ended
    std::uint64_t bytes = 0;
};

// When an app was built last. Of one whose builds have left, its cache tells.
std::int64_t last_build_of(apps::Store& store, const fs::path& cache) {
    const auto last = store.builds().list({.app = cache.filename().string(), .limit = 1});
    if (!last.empty()) return std::max(last[0].finished, last[0].created);
    std::error_code gone;
    const auto age = Clock::now() - fs::last_write_time(cache, gone);
    if (gone) return 0;
    return apps::now_milliseconds() -
           std::chrono::duration_cast<std::chrono::milliseconds>(age).count();
}

std::set<std::string> digests_of_stacks(apps::Store& store) {
    std::set<std::string> digests;
    for (const auto& stack : store.list_stacks())
        for (const auto& text : {stack.build, stack.run})
            if (const auto reference = image::Reference::parse(text); reference.digest)
                digests.insert(reference.digest->hex());
    return digests;
}

} // namespace

std::uint64_t bytes_of(const fs::path& path) {
    std::error_code none;
    if (!fs::is_directory(fs::symlink_status(path, none))) {
        const auto size =
            fs::is_regular_file(fs::symlink_status(path, none)) ? fs::file_size(path, none) : 0;
        return none ? 0 : size;
    }
    std::uint64_t bytes = 0;
    for (auto it = fs::recursive_directory_iterator(path, none); it != fs::end(it);
         it.increment(none)) {
        std::error_code gone;
        const auto size =
            it->is_regular_file(gone) && !it->is_symlink(gone) ? it->file_size(gone) : 0;
        if (!gone) bytes += size;
    }
    return bytes;
}

std::vector<PruneItem> prune_caches(const PruneSettings& settings, DryRun dry_run) {
    Leavers leavers(dry_run);
    const auto& config = settings.config;
    const auto leave = [&](const Cache& cache, std::string reason) {
        return leavers.take("cache", cache.path, std::move(reason), [&] {
            constexpr std::int64_t moment = 1000; // between two clocks
            return !is_building(settings.store, cache.path.filename().string()) &&
                   last_build_of(settings.store, cache.path) < cache.used + moment;
        });
    };
    std::vector<Cache> caches;
    std::uint64_t all = 0;
    for (const auto& path : entries(settings.state.caches())) {
        const auto app = path.filename().string();
        const Cache cache{path, last_build_of(settings.store, path), bytes_of(path)};
        const auto age = apps::now_milliseconds() - cache.used;
        if (!settings.store.find_app(app)) {
            leave(cache, "of no app");
        } else if (age > std::chrono::milliseconds(config.caches).count()) {
            leave(cache, unused_for(config.caches));
        } else {
            caches.push_back(cache);
            all += cache.bytes;
        }
    }
    std::sort(caches.begin(), caches.end(),
              [](const Cache& a, const Cache& b) { return a.used < b.used; });
    for (const auto& cache : caches) {
        if (config.caches_size == 0 || all <= config.caches_size) break;
        if (leave(cache, "caches are " + base::human_bytes(all) + " together, more than " +
                             base::human_bytes(config.caches_size)))
            all -= cache.bytes;
    }
    return leavers.items();
}

// A fetched tree's time is that of its last use, a mirror's that of its lock.
std::vector<PruneItem> prune_buildpacks(const PruneSettings& settings, DryRun dry_run) {
    Leavers leavers(dry_run);
    const auto root = settings.state.buildpack_sources();
    const auto age = settings.config.buildpacks;
    const auto leave = [&](const fs::path& path, const fs::path& used) {
        const auto is_old = [&] { return is_unused_for(used, age); };
        if (is_old()) leavers.take("buildpack", path, unused_for(age), is_old);
    };
    for (const auto* part : {"trees", "urls"})
        for (const auto& path : entries(root / part)) leave(path, path);
    for (const auto& path : entries(root / "git")) {
        const auto lock = root / "locks" / ("git-" + path.filename().string());
        leave(path, fs::exists(lock) ? lock : path);
    }
    return leavers.items();
}

namespace {

// The layers of the images that stay. Empty: an image cannot be read, so that nobody knows.
std::optional<std::set<std::string>> prune_images(const PruneSettings& settings,
                                                  const fs::path& directory, Leavers& leavers) {
    const auto of_stacks = digests_of_stacks(settings.store);
    const auto age = settings.config.layers;
    std::set<std::string> used;
    for (const auto& path : entries(directory)) {
        const auto is_old = [&] { return is_unused_for(path, age); };
        if (!of_stacks.contains(path.stem().string()) && is_old() &&
            leavers.take("image", path, "of no stack, " + unused_for(age), is_old))
            continue;
        try {
            const auto value = base::json::parse(base::read_file(path), path.string());
            const auto image = image::Image::parse(base::json::get_string(value, "manifest"),
                                                   base::json::get_string(value, "config"));
            used.merge(registry::layer_names(image));
        } catch (const base::Error& error) { // then nobody knows what is used
            base::log::warning("an image's description cannot be read",
                               {{"file", path.native()}, {"reason", error.describe()}});
            return std::nullopt;
        }
    }
    return used;
}

} // namespace

// An image's time is that of its last use. A build that takes up an image now, or whose image has
// left since it began, uses the layers themselves.
std::vector<PruneItem> prune_layers(const PruneSettings& settings, DryRun dry_run) {
    Leavers leavers(dry_run);
    // Of stacks, and of buildpacks that come as images.
    for (const auto& root :
         {settings.state.images(), settings.state.buildpack_sources() / "images"}) {
        const auto used = prune_images(settings, root / "images", leavers);
        if (!used) continue;
        for (const auto& path : entries(root / "layers"))
            if (!used->contains(path.filename().string()))
                leavers.take("layer", path, "of no image that is used");
    }
    return leavers.items();
}

} // namespace server
