#include "lifecycle_metadata.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

namespace builder {
namespace {

using base::json::Value;

Value sha(const std::string& diff_id) {
    return {{"sha", diff_id}};
}

Value render_layer(const LayerRecord& layer) {
    const auto data = base::json::parse(layer.metadata_json, "layer metadata");
    return {{"sha", layer.diff_id},
            {"data", data.empty() ? Value(nullptr) : data},
            {"build", layer.types.build},
            {"launch", layer.types.launch},
            {"cache", layer.types.cache}};
}

Value render_buildpack(const BuildpackRecord& buildpack) {
    Value layers = Value::object();
    for (const auto& [name, layer] : buildpack.layers) layers[name] = render_layer(layer);
    Value value = {{"key", buildpack.id}, {"version", buildpack.version}, {"layers", layers}};
    if (!buildpack.store_json.empty())
        value["store"] = {{"metadata", base::json::parse(buildpack.store_json, "store.toml")}};
    return value;
}

LayerRecord parse_layer(const Value& value) {
    LayerRecord layer;
    layer.diff_id = base::json::find_string(value, "sha").value_or("");
    const auto data = value.find("data");
    layer.metadata_json = data != value.end() && data->is_object() ? data->dump() : "{}";
    layer.types = {.launch = base::json::find_bool(value, "launch", false),
                   .build = base::json::find_bool(value, "build", false),
                   .cache = base::json::find_bool(value, "cache", false)};
    return layer;
}

// A label comes out of a registry, where others may write: its names become file names.
void check_layer_name(const std::string& name) {
    if (name.empty() || name == "." || name == ".." || name.size() > 200 ||
        name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
        throw base::Error(base::ErrorKind::invalid_input,
                          "\"" + base::printable(name) + "\" cannot be the name of a layer");
}

BuildpackRecord parse_buildpack(const Value& value) {
    BuildpackRecord buildpack{.id = base::json::get_string(value, "key"),
                              .version = base::json::find_string(value, "version").value_or("")};
    const auto layers = value.value("layers", Value::object());
    for (const auto& [name, layer] : layers.items()) {
        check_layer_name(name);
        buildpack.layers.emplace(name, parse_layer(layer));
    }
    const auto store = value.value("store", Value::object());
    if (store.contains("metadata")) buildpack.store_json = store["metadata"].dump();
    return buildpack;
}

Value render_processes(const std::vector<NamedProcess>& processes, const char* buildpack_key,
                       bool with_default) {
    Value list = Value::array();
    for (const auto& [process, buildpack_id] : processes) {
        Value value = {{"type", process.type},
                       {"command", process.command},
                       {"args", process.args},
                       {"direct", process.direct},
                       {buildpack_key, buildpack_id}};
        if (!process.working_directory.empty()) value["working-dir"] = process.working_directory;
        if (with_default && process.is_default) value["default"] = true;
        list.push_back(value);
    }
    return list;
}

Value render_group(const std::vector<const buildpacks::Buildpack*>& group) {
    Value list = Value::array();
    for (const auto* buildpack : group) {
        const auto& info = buildpack->info();
        Value value = {{"id", info.id}, {"version", info.version}, {"api", info.api}};
        if (!info.homepage.empty()) value["homepage"] = info.homepage;
        list.push_back(value);
    }
    return list;
}

} // namespace

std::string LifecycleMetadata::render() const {
    Value apps = Value::array(), packs = Value::array();
    for (const auto& layer : app) apps.push_back(sha(layer));
    for (const auto& buildpack : buildpacks) packs.push_back(render_buildpack(buildpack));
    return base::json::render({{"app", apps},
                               {"buildpacks", packs},
                               {"config", sha(config)},
                               {"launcher", sha(launcher)},
                               {"process-types", sha(process_types)},
                               {"runImage",
                                {{"topLayer", run_image.top_layer},
                                 {"reference", run_image.reference},
                                 {"image", run_image.image}}},
                               {"stack", {{"runImage", {{"image", run_image.image}}}}}});
}

std::optional<LifecycleMetadata> LifecycleMetadata::parse(const image::Image& image) {
    const auto label = image.config().labels.find(lifecycle_label);
    if (label == image.config().labels.end()) return std::nullopt;
    try {
        return parse_text(label->second);
    } catch (const base::Error&) {
        return std::nullopt;
    }
}

LifecycleMetadata LifecycleMetadata::parse_text(const std::string& json) {
    const auto value = base::json::parse(json, lifecycle_label);
    try {
        LifecycleMetadata metadata;
        for (const auto& buildpack : value.value("buildpacks", Value::array()))
            metadata.buildpacks.push_back(parse_buildpack(buildpack));
        return metadata;
    } catch (const nlohmann::json::exception&) {
        throw base::Error(base::ErrorKind::invalid_input,
                          std::string(lifecycle_label) + " has a value of the wrong type");
    }
}

const BuildpackRecord* LifecycleMetadata::find(const std::string& id) const {
    for (const auto& buildpack : buildpacks)
        if (buildpack.id == id) return &buildpack;
    return nullptr;
}

std::string render_build_metadata(const std::vector<const buildpacks::Buildpack*>& group,
                                  const std::vector<NamedProcess>& processes) {
    return base::json::render({{"buildpacks", render_group(group)},
                               {"processes", render_processes(processes, "buildpackID", false)},
                               {"launcher", {{"version", "0.1.0"}, {"source", Value::object()}}}});
}

std::string render_launch_metadata(const std::vector<const buildpacks::Buildpack*>& group,
                                   const std::vector<NamedProcess>& processes) {
    return buildpacks::json_to_toml(
        {{"buildpacks", render_group(group)},
         {"processes", render_processes(processes, "buildpack-id", true)}});
}

} // namespace builder
