#include "cache_policy.h"

#include <algorithm>

namespace builder {
namespace {

namespace fs = std::filesystem;

std::string escaped(std::string id) {
    std::replace(id.begin(), id.end(), '/', '_');
    return id;
}

void keep(LayerCache& cache, const BuildpackRecord& record, const std::string& layer,
          const Workspace& workspace) {
    const auto source = workspace.layers / escaped(record.id) / layer;
    if (fs::is_directory(fs::symlink_status(source)) &&
        !fs::is_symlink(fs::symlink_status(source.parent_path())))
        cache.put(record, layer, source);
}

const buildpacks::BuiltLayer* find_layer(const BuiltMember& member, const std::string& name) {
    for (const auto& layer : member.built.layers)
        if (layer.name == name) return &layer;
    return nullptr;
}

// What a finished buildpack left, against what was restored for it.
bool is_unchanged(const BuiltMember& member, const std::string& name, const LayerRecord& restored) {
    const auto* layer = find_layer(member, name);
    return layer && layer->types.cache && layer->metadata_json == restored.metadata_json;
}

bool is_download_cache(const LayerRecord& layer) {
    return layer.types.cache && !layer.types.launch && !layer.types.build;
}

} // namespace

void keep_after_success(LayerCache& cache, const std::vector<BuildpackRecord>& records,
                        const std::string& bills_diff_id, const Workspace& workspace) {
    for (const auto& record : records)
        for (const auto& [name, layer] : record.layers)
            if (layer.types.cache) keep(cache, record, name, workspace);
    cache.put_bills(workspace.bills, bills_diff_id);
    cache.commit();
}

void keep_after_failure(LayerCache& cache, const Group& group,
                        const std::vector<BuiltMember>& finished, const Workspace& workspace) {
    for (std::size_t i = 0; i < group.size(); ++i) {
        const auto& info = group[i].buildpack->info();
        if (const auto* restored = cache.find(info.id)) {
            for (const auto& [name, layer] : restored->layers) {
                const bool untouched = i > finished.size();
                const bool good = i < finished.size() && is_unchanged(finished[i], name, layer);
                if (untouched || good || is_download_cache(layer))
                    keep(cache, *restored, name, workspace);
            }
        }
        if (i >= finished.size()) continue;
        // Download caches that this build made for the first time.
        BuildpackRecord made{info.id, info.version};
        for (const auto& layer : finished[i].built.layers) {
            const LayerRecord record{{}, layer.metadata_json, layer.types};
            if (!is_download_cache(record)) continue;
            made.layers[layer.name] = record;
            keep(cache, made, layer.name, workspace);
        }
    }
    cache.commit();
}

} // namespace builder
