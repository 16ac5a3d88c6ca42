#include "layers.h"

namespace packages {

WrittenImage write_buildpackage(const Contents& contents, const buildpacks::OrderElement& main,
                                const std::string& architecture,
                                const std::filesystem::path& scratch) {
    const auto& entry = find(contents, main, "");
    check_composites(contents);
    image::ContainerConfig config;
    config.labels[label::buildpackage] = buildpackage_label(contents, entry).dump();
    LayerList layers(scratch);
    config.labels[label::layers] = layers_label(contents, layers.add_buildpacks(contents)).dump();
    return layers.finish(image::Image(architecture), std::move(config));
}

} // namespace packages
