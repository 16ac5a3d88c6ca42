#include "layer_cache.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;

void move_directory(const fs::path& from, const fs::path& to) {
    std::error_code failure;
    fs::create_directories(to.parent_path());
    fs::rename(from, to, failure);
    if (!failure) return;
    if (failure != std::errc::cross_device_link)
        base::throw_errno(failure.value(), "could not move " + from.string());
    // Two mounts of one disk: the kernel moves nothing between them.
    const auto copied =
        base::run({.argv = {"cp", "-a", "--reflink=auto", from.string(), to.string()},
                   .environment = base::minimal_environment()},
                  {});
    if (!copied.status.ok())
        throw base::Error(base::ErrorKind::unavailable,
                          "could not copy " + from.string() + ": " + copied.error);
    base::remove_tree(from);
}

std::string escaped(std::string id) {
    std::replace(id.begin(), id.end(), '/', '_');
    return id;
}

} // namespace

LayerCache::LayerCache(fs::path directory, const std::function<void(const std::string&)>& on_damage)
    : directory_(std::move(directory)) {
    if (directory_.empty()) return;
    fs::create_directories(directory_);
    const auto index = directory_ / "metadata.json";
    if (fs::exists(index)) {
        try {
            const auto metadata = LifecycleMetadata::parse_text(base::read_file(index));
            found_ = metadata.buildpacks;
        } catch (const std::exception& error) {
            on_damage("The cache of the last build is damaged and was dropped.");
        }
        fs::remove(index);
    }
    if (found_.empty()) base::remove_tree(directory_ / "layers");
}

const BuildpackRecord* LayerCache::find(const std::string& id) const {
    const auto it = std::find_if(found_.begin(), found_.end(),
                                 [&](const BuildpackRecord& record) { return record.id == id; });
    return it == found_.end() ? nullptr : &*it;
}

bool LayerCache::take(const std::string& escaped_id, const std::string& layer,
                      const fs::path& target) {
    const auto source = directory_ / "layers" / escaped_id / layer;
    if (directory_.empty() || !fs::is_directory(fs::symlink_status(source))) return false;
    move_directory(source, target);
    return true;
}

void LayerCache::put(const BuildpackRecord& buildpack, const std::string& escaped_id,
                     const std::string& layer, const fs::path& source) {
    if (directory_.empty()) return;
    const auto target = directory_ / "layers" / escaped_id / layer;
    base::remove_tree(target);
    move_directory(source, target);
    const auto it = std::find_if(kept_.begin(), kept_.end(), [&](const BuildpackRecord& record) {
        return record.id == buildpack.id;
    });
    BuildpackRecord& record =
        it != kept_.end() ? *it
                          : kept_.emplace_back(BuildpackRecord{buildpack.id, buildpack.version});
    record.layers[layer] = buildpack.layers.at(layer);
}

// What no record names would lie there for ever: layers of buildpacks that the app has left.
void LayerCache::remove_forgotten() const {
    for (const auto& old : found_)
        for (const auto& [name, ignored] : old.layers) {
            const auto it = std::find_if(kept_.begin(), kept_.end(), [&](const auto& record) {
                return record.id == old.id && record.layers.contains(name);
            });
            if (it == kept_.end())
                base::remove_tree(directory_ / "layers" / escaped(old.id) / name);
        }
}

void LayerCache::commit() {
    if (directory_.empty()) return;
    LifecycleMetadata metadata;
    metadata.buildpacks = kept_;
    base::replace_file(directory_ / "metadata.json", metadata.render());
    remove_forgotten();
}

} // namespace builder
