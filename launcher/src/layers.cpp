#include "layers.h"

#include "files.h"

#include <algorithm>
#include <utility>

namespace launch {
namespace {

void add_files(const std::string& directory, std::vector<std::string>& paths) {
    for (const DirectoryEntry& entry : list_directory(directory))
        if (!entry.is_directory) paths.push_back(join(directory, entry.name));
}

} // namespace

Layers::Layers(std::string directory, const std::vector<Buildpack>& buildpacks) {
    for (const Buildpack& buildpack : buildpacks) {
        std::string escaped = buildpack.id;
        std::replace(escaped.begin(), escaped.end(), '/', '_');
        const std::string home = join(directory, escaped);
        std::vector<std::string> layers;
        for (const DirectoryEntry& entry : list_directory(home))
            if (entry.is_directory) layers.push_back(join(home, entry.name));
        layers_.push_back(std::move(layers));
    }
}

void Layers::apply_environment(Environment& environment, const std::string& process_type) const {
    for (const auto& layers : layers_) {
        for (const std::string& layer : layers) environment.add_layer_root(layer);
        for (const std::string& layer : layers) {
            environment.add_directory(join(layer, "env"));
            environment.add_directory(join(layer, "env.launch"));
            if (!process_type.empty())
                environment.add_directory(join(layer, "env.launch/" + process_type));
        }
    }
}

std::vector<std::string> Layers::files(const std::string& kind,
                                       const std::string& process_type) const {
    std::vector<std::string> paths;
    for (const auto& layers : layers_) {
        for (const std::string& layer : layers) {
            add_files(join(layer, kind), paths);
            if (!process_type.empty()) add_files(join(layer, kind + "/" + process_type), paths);
        }
    }
    return paths;
}

} // namespace launch
