#include "phases/restore.h"

#include "base/fd.h"
#include "base/json.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

namespace builder {
namespace {

namespace fs = std::filesystem;

// Without [types]: the buildpack says anew what each layer is for.
void write_metadata(const fs::path& file, const std::string& metadata_json, BuildUser user) {
    const auto metadata = base::json::parse(metadata_json, "layer metadata");
    base::write_file(file, metadata.empty() ? std::string()
                                            : buildpacks::json_to_toml({{"metadata", metadata}}));
    give_to(file, user);
}

class MemberRestore {
  public:
    MemberRestore(const buildpacks::Info& info, const LifecycleMetadata* previous,
                  LayerCache& cache, const Workspace& workspace, BuildUser user)
        : info_(info), directory_(workspace.layers / info.escaped_id()), cache_(cache), user_(user),
          image_(previous ? previous->find(info.id) : nullptr), cached_(cache.find(info.id)) {}

    std::vector<std::string> run() {
        fs::create_directory(directory_);
        if (image_) restore_image_metadata();
        if (cached_) restore_cached();
        give_to(directory_, user_); // last: until then only we can write there
        return std::move(restored_);
    }

  private:
    void restore_image_metadata() {
        if (!image_->store_json.empty())
            write_metadata(directory_ / "store.toml", image_->store_json, user_);
        for (const auto& [name, layer] : image_->layers) {
            if (!layer.types.launch) continue;
            // Those must have their content here, which only the cache can give: its metadata comes
            // with it. Metadata alone would have the buildpack keep what is not there.
            if (layer.types.build || layer.types.cache) continue;
            write_metadata(directory_ / (name + ".toml"), layer.metadata_json, user_);
        }
    }

    void restore_cached() {
        for (const auto& [name, layer] : cached_->layers) {
            if (!layer.types.cache) continue;
            if (layer.types.launch && !is_in_image(name, layer)) continue;
            if (!cache_.take(info_.escaped_id(), name, directory_ / name)) continue;
            write_metadata(directory_ / (name + ".toml"), layer.metadata_json, user_);
            restored_.push_back(info_.id + ":" + name);
        }
    }

    bool is_in_image(const std::string& name, const LayerRecord& layer) const {
        if (!image_) return false;
        const auto it = image_->layers.find(name);
        return it != image_->layers.end() && it->second.diff_id == layer.diff_id;
    }

    const buildpacks::Info& info_;
    fs::path directory_;
    LayerCache& cache_;
    BuildUser user_;
    const BuildpackRecord* image_;
    const BuildpackRecord* cached_;
    std::vector<std::string> restored_;
};

} // namespace

Restored restore(const Group& group, const LifecycleMetadata* previous, LayerCache& cache,
                 const Workspace& workspace, BuildUser user) {
    Restored all;
    for (const auto& member : group) {
        MemberRestore one(member.buildpack->info(), previous, cache, workspace, user);
        for (auto& layer : one.run()) all.layers.push_back(std::move(layer));
    }
    give_to(workspace.layers, user);
    return all;
}

} // namespace builder
