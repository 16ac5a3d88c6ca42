#include "phases/restore.h"

#include "bills_of_materials.h"

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
    base::write_file(file, metadata.is_null() ? std::string()
                                              : buildpacks::json_to_toml({{"metadata", metadata}}));
    give_to(file, user);
}

class MemberRestore {
  public:
    MemberRestore(const buildpacks::Info& info, const RestoreInput& input, LayerCache& cache)
        : info_(info), input_(input), directory_(input.workspace.layers / info.escaped_id()),
          cache_(cache), image_(input.previous ? input.previous->find(info.id) : nullptr),
          cached_(cache.find(info.id)) {}

    std::vector<std::string> run() {
        fs::create_directory(directory_);
        if (image_) restore_from_image();
        if (cached_) restore_from_cache();
        give_to(directory_, input_.user); // last: until then only we can write there
        return std::move(restored_);
    }

  private:
    void restore_from_image() {
        if (!image_->store_json.empty())
            write_metadata(directory_ / "store.toml", image_->store_json, input_.user);
        for (const auto& [name, layer] : image_->layers) {
            if (!layer.types.launch) continue;
            if (layer.types.cache)
                restore_content(name, layer);
            else if (!layer.types.build) // such a layer is always made anew
                restore_metadata(name, layer, input_.image_bills);
        }
    }

    // What the image does not have: layers of the build alone, or of an image that is not this one.
    void restore_from_cache() {
        for (const auto& [name, layer] : cached_->layers)
            if (layer.types.cache && !(image_ && image_->layers.contains(name)))
                restore_content(name, layer);
    }

    // Metadata and content, both or neither: the cache has the content that `layer` tells of.
    void restore_content(const std::string& name, const LayerRecord& layer) {
        if (!cached_) return;
        const auto found = cached_->layers.find(name);
        if (found == cached_->layers.end() || !found->second.types.cache ||
            found->second.diff_id != layer.diff_id)
            return;
        if (!cache_.take(info_.id, name, directory_ / name)) return;
        restore_metadata(name, layer, cache_.bills() / "cache");
        restored_.push_back(info_.id + ":" + name);
    }

    void restore_metadata(const std::string& name, const LayerRecord& layer,
                          const fs::path& bills) {
        write_metadata(directory_ / (name + ".toml"), layer.metadata_json, input_.user);
        restore_bills(bills, info_, name, input_.workspace, input_.user);
    }

    const buildpacks::Info& info_;
    const RestoreInput& input_;
    fs::path directory_;
    LayerCache& cache_;
    const BuildpackRecord* image_;
    const BuildpackRecord* cached_;
    std::vector<std::string> restored_;
};

} // namespace

Restored restore(const RestoreInput& input, LayerCache& cache) {
    Restored all;
    for (const auto& member : input.group) {
        MemberRestore one(member.buildpack->info(), input, cache);
        for (auto& layer : one.run()) all.layers.push_back(std::move(layer));
    }
    give_to(input.workspace.layers, input.user);
    return all;
}

} // namespace builder
