#include "images.h"

#include "base/error.h"
#include "base/json.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

namespace sources {
namespace {

constexpr const char* order_label = "io.buildpacks.buildpack.order";

buildpacks::OrderGroup group_of(const nlohmann::json& system, const char* place) {
    buildpacks::OrderGroup group;
    const auto list = system.value(place, nlohmann::json::object());
    for (const auto& element : list.value("buildpacks", nlohmann::json::array()))
        group.push_back({base::json::get_string(element, "id"),
                         base::json::find_string(element, "version").value_or(""),
                         base::json::find_bool(element, "optional", false)});
    return group;
}

} // namespace

bool is_builder(const image::Image& image) {
    return image.config().labels.contains(order_label);
}

void add_builder(const std::vector<std::filesystem::path>& layers, buildpacks::Catalog& catalog) {
    const auto order = registry::read_image_file(layers, "/cnb/order.toml");
    if (order.empty())
        throw base::Error(base::ErrorKind::invalid_input, "the builder has no /cnb/order.toml");
    add_buildpacks_of_layers(layers, buildpacks::Buildpack::Mounting::none, "", catalog);
    add_extensions_of_layers(layers, catalog);
    catalog.set_order(buildpacks::parse_order(order, "the builder's order.toml"));
    catalog.set_extension_order(
        buildpacks::parse_extension_order(order, "the builder's order.toml"));
    const auto system = registry::read_image_file(layers, "/cnb/system.toml");
    if (system.empty()) return;
    const auto table = buildpacks::toml_to_json(system, "the builder's system.toml");
    const auto own = table.value("system", nlohmann::json::object());
    catalog.set_system({group_of(own, "pre"), group_of(own, "post")});
}

} // namespace sources
