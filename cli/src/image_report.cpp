#include "image_report.h"

#include "context.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace cli {
namespace {

using base::json::Value;

// Whoever made the image wrote its labels: what is not as it should be is not there.
Value label(const image::Image& image, const char* name) {
    const auto found = image.config().labels.find(name);
    if (found == image.config().labels.end()) return Value::object();
    try {
        auto value = base::json::parse(found->second, name);
        return value.is_object() ? value : Value::object();
    } catch (const base::Error&) {
        return Value::object();
    }
}

std::string text_at(const Value& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <class F>
void each_object(const Value& object, const char* name, F&& act) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_array()) return;
    for (const auto& each : *found)
        if (each.is_object()) act(each);
}

const Value* object_at(const Value& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_object() ? &*found : nullptr;
}

struct Owner {
    std::string by, name;
};

// By diff id.
std::map<std::string, Owner> owners(const Value& metadata) {
    std::map<std::string, Owner> all;
    std::size_t slices = 0;
    each_object(metadata, "app", [&](const Value& slice) {
        all[text_at(slice, "sha")] = {"app", "slice " + std::to_string(++slices)};
    });
    for (const auto& [key, name] :
         std::map<std::string, std::string>{{"launcher", "launcher"},
                                            {"config", "configuration"},
                                            {"process-types", "process types"},
                                            {"sbom", "bills of materials"}})
        if (const auto* layer = object_at(metadata, key.c_str()))
            all[text_at(*layer, "sha")] = {"platform", name};
    each_object(metadata, "buildpacks", [&](const Value& buildpack) {
        const auto* layers = object_at(buildpack, "layers");
        if (!layers) return;
        for (const auto& [name, layer] : layers->items())
            all[text_at(layer, "sha")] = {text_at(buildpack, "key"), name};
    });
    return all;
}

std::string words_of(const Value& value) {
    if (value.is_string()) return value.get<std::string>();
    std::string words;
    if (value.is_array())
        for (const auto& word : value)
            if (word.is_string()) words += (words.empty() ? "" : " ") + word.get<std::string>();
    return words;
}

std::string command_of(const Value& process) {
    std::string command;
    for (const char* part : {"command", "args"})
        if (const auto found = process.find(part); found != process.end())
            if (const auto words = words_of(*found); !words.empty())
                command += (command.empty() ? "" : " ") + words;
    return command;
}

std::map<std::string, std::string> settings_of(const image::Image& image) {
    const auto& config = image.config();
    const auto report = report_on(image);
    std::map<std::string, std::string> settings{{"entrypoint", join(config.entrypoint, " ")},
                                                {"command", join(config.command, " ")},
                                                {"user", config.user},
                                                {"working directory", config.working_directory},
                                                {"run image", report.run_image}};
    for (const auto& entry : config.environment) {
        const auto equals = std::min(entry.find('='), entry.size());
        settings["env " + entry.substr(0, equals)] =
            entry.substr(std::min(equals + 1, entry.size()));
    }
    for (const auto& [name, value] : config.labels)
        if (!name.starts_with("io.buildpacks.")) settings["label " + name] = value;
    for (const auto& process : report.processes)
        settings["process " + process.type] =
            process.command + (process.is_default ? " (default)" : "");
    for (const auto& buildpack : report.buildpacks) {
        const auto at = std::min(buildpack.rfind('@'), buildpack.size());
        settings["buildpack " + buildpack.substr(0, at)] =
            buildpack.substr(std::min(at + 1, buildpack.size()));
    }
    return settings;
}

bool same_content(const LayerGroup& one, const LayerGroup& other) {
    return std::equal(
        one.layers.begin(), one.layers.end(), other.layers.begin(), other.layers.end(),
        [](const image::Layer& a, const image::Layer& b) { return a.diff_id == b.diff_id; });
}

} // namespace

ImageReport report_on(const image::Image& image) {
    const auto metadata = label(image, "io.buildpacks.lifecycle.metadata");
    const auto build = label(image, "io.buildpacks.build.metadata");
    ImageReport report;
    const auto known = owners(metadata);
    for (const auto& layer : image.layers()) {
        const auto owner = known.find(layer.diff_id.render());
        if (owner == known.end())
            report.layers.push_back({"run image", "", layer});
        else
            report.layers.push_back({owner->second.by, owner->second.name, layer});
    }
    each_object(build, "buildpacks", [&](const Value& buildpack) {
        report.buildpacks.push_back(text_at(buildpack, "id") + "@" + text_at(buildpack, "version"));
    });
    const auto chosen = text_at(build, "buildpack-default-process-type");
    each_object(build, "processes", [&](const Value& process) {
        const auto type = text_at(process, "type");
        report.processes.push_back({type, command_of(process), type == chosen});
    });
    if (const auto* run_image = object_at(metadata, "runImage"))
        report.run_image = text_at(*run_image, "reference");
    return report;
}

std::uint64_t LayerGroup::size() const {
    std::uint64_t size = 0;
    for (const auto& layer : layers) size += layer.descriptor.size;
    return size;
}

std::vector<LayerGroup> group_layers(const ImageReport& report) {
    std::vector<LayerGroup> groups;
    for (const auto& layer : report.layers) {
        const bool together = layer.by == "app" || layer.by == "run image";
        const auto name = together ? std::string() : layer.name;
        auto found = std::find_if(groups.begin(), groups.end(), [&](const LayerGroup& each) {
            return each.by == layer.by && each.name == name;
        });
        if (found == groups.end()) found = groups.insert(groups.end(), {layer.by, name, {}});
        found->layers.push_back(layer.layer);
    }
    return groups;
}

const LayerGroup* find_group(const std::vector<LayerGroup>& groups, const LayerGroup& like) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const LayerGroup& each) {
        return each.by == like.by && each.name == like.name;
    });
    return found == groups.end() ? nullptr : &*found;
}

std::vector<LayerChange> compare_layers(const ImageReport& before, const ImageReport& after) {
    using Kind = LayerChange::Kind;
    const auto old_groups = group_layers(before), new_groups = group_layers(after);
    std::vector<LayerChange> changes;
    for (const auto& now : new_groups) {
        const auto* then = find_group(old_groups, now);
        const auto kind = !then                      ? Kind::added
                          : same_content(*then, now) ? Kind::same
                                                     : Kind::changed;
        changes.push_back({kind, now.by, now.name, then ? then->size() : 0, now.size()});
    }
    for (const auto& then : old_groups)
        if (!find_group(new_groups, then))
            changes.push_back({Kind::removed, then.by, then.name, then.size(), 0});
    return changes;
}

std::vector<SettingChange> compare_settings(const image::Image& before, const image::Image& after) {
    auto old_settings = settings_of(before);
    std::vector<SettingChange> changes;
    for (const auto& [name, value] : settings_of(after)) {
        const auto then = old_settings[name];
        if (then != value) changes.push_back({name, then, value});
        old_settings.erase(name);
    }
    for (const auto& [name, value] : old_settings)
        if (!value.empty()) changes.push_back({name, value, ""});
    return changes;
}

} // namespace cli
