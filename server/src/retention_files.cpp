// Caches, fetched buildpacks and unpacked layers: directories that a build may take at any moment.
// Each goes by a rename first, so that nobody finds half of it.
#include "retention_parts.h"

#include "image/image.h"
#include "image/reference.h"
#include "registry/image_store.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <sys/stat.h>

namespace server {
namespace {

namespace fs = std::filesystem;
using apps::BuildState;
using Clock = fs::file_time_type::clock;

// Of what this server is about to remove; nobody looks for such names.
constexpr std::string_view leaving = ".leaving-";

// Whatever limits are configured: no build goes on for longer.
constexpr auto longest_build = std::chrono::hours(48);

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

bool take_away(const fs::path& path) {
    const auto away = path.parent_path() / (std::string(leaving) + path.filename().string());
    try {
        if (path.filename().string().starts_with(leaving)) {
            base::remove_tree(path);
            return true;
        }
        base::remove_tree(away);
        fs::rename(path, away);
        base::remove_tree(away);
        return true;
    } catch (const std::exception& error) {
        base::log::warning("what is old could not be removed",
                           {{"path", path.native()}, {"reason", error.what()}});
        return false;
    }
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
    void take(const char* kind, const fs::path& path, std::uint64_t bytes, std::string reason) {
        if (dry_run_ == DryRun::yes || take_away(path))
            items_.push_back({kind, path.filename().string(), bytes, std::move(reason)});
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
    std::vector<Cache> caches;
    std::uint64_t all = 0;
    for (const auto& path : entries(settings.state.caches())) {
        const auto app = path.filename().string();
        if (is_building(settings.store, app)) continue;
        const Cache cache{path, last_build_of(settings.store, path), bytes_of(path)};
        const auto age = apps::now_milliseconds() - cache.used;
        if (!settings.store.find_app(app)) {
            leavers.take("cache", path, cache.bytes, "of no app");
        } else if (age > std::chrono::milliseconds(config.caches).count()) {
            leavers.take("cache", path, cache.bytes, unused_for(config.caches));
        } else {
            caches.push_back(cache);
            all += cache.bytes;
        }
    }
    std::sort(caches.begin(), caches.end(),
              [](const Cache& a, const Cache& b) { return a.used < b.used; });
    for (const auto& cache : caches) {
        if (config.caches_size == 0 || all <= config.caches_size) break;
        leavers.take("cache", cache.path, cache.bytes,
                     "caches are " + base::human_bytes(all) + " together, more than " +
                         base::human_bytes(config.caches_size));
        all -= cache.bytes;
    }
    return leavers.items();
}

// A fetched tree's time is that of its last use, a mirror's that of its lock: what a build uses now
// is no older than the build.
std::vector<PruneItem> prune_buildpacks(const PruneSettings& settings, DryRun dry_run) {
    Leavers leavers(dry_run);
    const auto root = settings.state.buildpack_sources();
    const auto age = is_building(settings.store, "")
                         ? std::max<std::chrono::seconds>(settings.config.buildpacks, longest_build)
                         : settings.config.buildpacks;
    for (const auto* part : {"trees", "urls"})
        for (const auto& path : entries(root / part))
            if (is_unused_for(path, age))
                leavers.take("buildpack", path, bytes_of(path), unused_for(age));
    for (const auto& path : entries(root / "git")) {
        const auto lock = root / "locks" / ("git-" + path.filename().string());
        if (is_unused_for(fs::exists(lock) ? lock : path, age))
            leavers.take("buildpack", path, bytes_of(path), unused_for(age));
    }
    return leavers.items();
}

std::vector<PruneItem> prune_layers(const PruneSettings& settings, DryRun dry_run) {
    Leavers leavers(dry_run);
    // An image's time is when it came, not when it was used last.
    if (is_building(settings.store, ""))
        return {{"layer", "-", 0, "skipped: a build runs; this is tried again in an hour", 0}};
    const auto root = settings.state.images();
    const auto of_stacks = digests_of_stacks(settings.store);
    std::set<std::string> used;
    for (const auto& path : entries(root / "images")) {
        const bool kept = of_stacks.contains(path.stem().string()) ||
                          !is_unused_for(path, settings.config.layers);
        if (!kept) {
            leavers.take("image", path, bytes_of(path),
                         "of no stack, " + unused_for(settings.config.layers));
            continue;
        }
        try {
            const auto value = base::json::parse(base::read_file(path), path.string());
            const auto image = image::Image::parse(base::json::get_string(value, "manifest"),
                                                   base::json::get_string(value, "config"));
            used.merge(registry::layer_names(image));
        } catch (const base::Error& error) { // then nobody knows what is used
            base::log::warning("an image's description cannot be read",
                               {{"file", path.native()}, {"reason", error.describe()}});
            return leavers.items();
        }
    }
    for (const auto& path : entries(root / "layers"))
        if (!used.contains(path.filename().string()))
            leavers.take("layer", path, bytes_of(path), "of no image that is used");
    return leavers.items();
}

} // namespace server
