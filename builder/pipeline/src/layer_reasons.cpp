#include "layer_reasons.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace builder {
namespace {

using base::json::Value;

constexpr std::size_t most_names = 5;

// Buildpacks wrote it: what is no object has no names.
Value object_of(const std::string& json) {
    try {
        auto value = base::json::parse(json, "a layer's metadata");
        return value.is_object() ? value : Value::object();
    } catch (const base::Error&) {
        return Value::object();
    }
}

// The entries of two layers' metadata that differ: "node_version, sha".
std::string changed_names(const std::string& before, const std::string& after) {
    const auto then = object_of(before), now = object_of(after);
    std::vector<std::string> names;
    for (const auto& [name, value] : now.items())
        if (!then.contains(name) || then.at(name) != value) names.push_back(name);
    for (const auto& [name, value] : then.items())
        if (!now.contains(name)) names.push_back(name);
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_names); ++i)
        text += (i > 0 ? ", " : "") + base::printable(names[i]);
    return text + (names.size() > most_names ? ", ..." : "");
}

bool has(const image::Image& image, const image::Digest& diff_id) {
    const auto& layers = image.layers();
    return std::any_of(layers.begin(), layers.end(),
                       [&](const image::Layer& layer) { return layer.diff_id == diff_id; });
}

std::string why_made(const LayerSubject& subject, const image::Layer& layer,
                     const PreviousImage* previous) {
    if (!previous) return "there was no image before";
    if (has(previous->image, layer.diff_id))
        return "the same content as before, of which nothing was kept";
    if (subject.buildpack.empty()) return "its files changed";
    const auto* record = previous->metadata.find(subject.buildpack);
    if (!record) return subject.buildpack + " did not build the image before";
    if (record->version != subject.version)
        return subject.buildpack + " is " + subject.version + " and was " + record->version;
    const auto before = record->layers.find(subject.layer);
    if (before == record->layers.end()) return "the image before had no such layer";
    const auto names = changed_names(before->second.metadata_json, subject.metadata_json);
    return names.empty() ? "its files changed" : "its metadata changed: " + names;
}

} // namespace

proof::Resource describe_layer(const LayerSubject& subject, const image::Layer& layer,
                               LayerOrigin origin, const PreviousImage* previous) {
    const auto told = [&]() -> std::pair<const char*, std::string> {
        switch (origin) {
        case LayerOrigin::previous:
            return {"previous", "its buildpack kept that of the image before"};
        case LayerOrigin::unchanged:
            return {"unchanged", "no file of it was touched since it was made"};
        case LayerOrigin::same_content:
            return {"same-content", "its files are the same as when it was made"};
        case LayerOrigin::made:
            break;
        }
        return {"made", why_made(subject, layer, previous)};
    }();
    return {.role = "layer",
            .name = subject.made_by,
            .digest = {{"sha256", layer.descriptor.digest.hex()}},
            .media_type = layer.descriptor.media_type,
            .annotations = {{proof::origin_annotation, told.first},
                            {proof::reason_annotation, told.second}}};
}

} // namespace builder
