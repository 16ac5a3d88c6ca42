#include "lifecycle_metadata.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "buildpacks/toml_text.h"

#include <nlohmann/json.hpp>

namespace builder {
namespace {

using base::json::Value;
using Ordered = nlohmann::ordered_json;

Value sha(const std::string& diff_id) {
    return {{"sha", diff_id}};
}

Value render_layer(const LayerRecord& layer) {
    return {{"sha", layer.diff_id},
            {"data", base::json::parse(layer.metadata_json, "layer metadata")},
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
    layer.metadata_json = data != value.end() && data->is_object() ? data->dump() : "null";
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

// null: nobody wrote a list, be it an empty one.
Value args_of(const buildpacks::Process& process) {
    return process.args.empty() && !process.gave_args ? Value(nullptr) : Value(process.args);
}

std::string default_type(const BuildMetadata& metadata) {
    for (const auto& named : metadata.processes)
        if (named.process.is_default) return named.process.type;
    return {};
}

// A command is a JSON list in the reference's TOML, with what HTML would mistake escaped.
Ordered render_command(const std::vector<std::string>& command) {
    std::string text = "[";
    for (const auto& word : command) {
        text += text.size() > 1 ? ", " : "";
        for (const char c : base::json::render(word)) {
            if (c == '<' || c == '>' || c == '&')
                text += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
            else
                text += c;
        }
    }
    text += "]";
    return Ordered::binary({text.begin(), text.end()});
}

Ordered render_process(const NamedProcess& named) {
    const auto& process = named.process;
    Ordered table = {{"type", process.type}, {"command", render_command(process.command)}};
    table["args"] = args_of(process);
    table["direct"] = process.direct;
    table["buildpack-id"] = named.buildpack_id;
    if (!process.working_directory.empty()) table["working-dir"] = process.working_directory;
    if (!process.execution_envs.empty()) table["exec-env"] = process.execution_envs;
    return table;
}

Ordered render_member(const buildpacks::Info& info) {
    Ordered table = {{"id", info.id}, {"version", info.version}};
    // Classic buildpacks have none; the launcher wants one it knows, whose processes are as theirs.
    table["api"] = info.api;
    if (!info.homepage.empty()) table["homepage"] = info.homepage;
    return table;
}

} // namespace

std::string LifecycleMetadata::render() const {
    Value apps = Value::array(), packs = Value::array();
    for (const auto& layer : app) apps.push_back(sha(layer));
    for (const auto& buildpack : buildpacks) packs.push_back(render_buildpack(buildpack));
    Value value = {{"app", apps},
                   {"buildpacks", packs},
                   {"config", sha(config)},
                   {"launcher", sha(launcher)},
                   {"process-types", sha(process_types)},
                   {"runImage",
                    {{"topLayer", run_image.top_layer},
                     {"reference", run_image.reference},
                     {"image", run_image.image}}},
                   {"stack", {{"runImage", {{"image", run_image.image}}}}}};
    if (!bills.empty()) value["sbom"] = sha(bills);
    return base::json::render(value);
}

std::optional<LifecycleMetadata> LifecycleMetadata::parse(const image::Image& image) {
    const auto& labels = image.config().labels;
    const auto label = labels.find(lifecycle_label);
    if (label == labels.end()) return std::nullopt;
    const auto execution_env = labels.find(execution_env_label);
    if (execution_env != labels.end() && execution_env->second != "production") return std::nullopt;
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
        metadata.bills =
            base::json::find_string(value.value("sbom", Value::object()), "sha").value_or("");
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

std::string render_build_label(const BuildMetadata& metadata) {
    Value group = Value::array(), processes = Value::array();
    for (const auto* buildpack : metadata.group) {
        const auto& info = buildpack->info();
        Value value = {{"id", info.id}, {"version", info.version}};
        if (!info.homepage.empty()) value["homepage"] = info.homepage;
        group.push_back(value);
    }
    for (const auto& [process, buildpack_id] : metadata.processes) {
        Value value = {{"type", process.type},
                       {"command", process.command},
                       {"args", args_of(process)},
                       {"direct", process.direct},
                       {"buildpackID", buildpack_id}};
        if (!process.working_directory.empty()) value["working-dir"] = process.working_directory;
        if (!process.execution_envs.empty()) value["exec-env"] = process.execution_envs;
        processes.push_back(value);
    }
    Value label = {{"buildpacks", group},
                   {"processes", processes},
                   {"launcher", {{"version", "0.1.0"}, {"source", Value::object()}}}};
    if (const auto type = default_type(metadata); !type.empty())
        label["buildpack-default-process-type"] = type;
    return base::json::render(label);
}

std::string render_build_metadata(const BuildMetadata& metadata) {
    Ordered table = Ordered::object();
    if (const auto type = default_type(metadata); !type.empty())
        table["buildpack-default-process-type"] = type;
    for (const auto* buildpack : metadata.group)
        table["buildpacks"].push_back(render_member(buildpack->info()));
    for (const auto& [key, value] : metadata.labels)
        table["labels"].push_back(Ordered{{"key", key}, {"value", value}});
    table["processes"] = Ordered::array();
    for (const auto& named : metadata.processes)
        table["processes"].push_back(render_process(named));
    for (const auto& slice : metadata.slices)
        table["slices"].push_back(Ordered{{"paths", slice.paths}});
    return buildpacks::ordered_json_to_toml(table);
}

} // namespace builder
