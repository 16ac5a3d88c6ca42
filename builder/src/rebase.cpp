#include "builder/rebase.h"

#include "rebase_rules.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "image/rebase.h"

#include <nlohmann/json.hpp>

#include <map>
#include <set>

namespace builder {
namespace {

using base::Error;
using base::ErrorKind;
using base::json::Value;
using Labels = std::map<std::string, std::string>;

constexpr const char* metadata_label = "io.buildpacks.lifecycle.metadata";
constexpr const char* way_out = "Build it anew on the new run image.";

[[noreturn]] void refuse(std::string message, std::string hint = way_out) {
    throw Error(ErrorKind::invalid_input, std::move(message), std::move(hint));
}

Value read_metadata(const Labels& labels) {
    const auto label = labels.find(metadata_label);
    if (label == labels.end())
        refuse(std::string("the image has no label ") + metadata_label +
               ": buildpacks did not make it");
    auto metadata = base::json::parse(label->second, metadata_label);
    if (!metadata.is_object() || !metadata.contains("runImage") ||
        !metadata["runImage"].is_object())
        refuse(std::string("the label ") + metadata_label + " of the image names no run image");
    return metadata;
}

// The diff ids of all layers that the build added: every "sha" of the label.
void add_recorded(const Value& value, std::set<std::string>& recorded) {
    if (value.is_object())
        if (const auto sha = value.find("sha"); sha != value.end() && sha->is_string())
            recorded.insert(sha->get<std::string>());
    if (value.is_structured())
        for (const auto& part : value) add_recorded(part, recorded);
}

// How many layers are the old run image's: those up to the one with the recorded diff id. Layers
// without content may be there more than once, in the run image and in the app: then it is the one
// above which there are layers of the build alone.
std::size_t layers_of_run_image(const image::Image& app, const Value& metadata) {
    const auto top = base::json::find_string(metadata.at("runImage"), "topLayer").value_or("");
    std::set<std::string> recorded;
    add_recorded(metadata, recorded);
    const auto& layers = app.layers();
    std::size_t first = 0, alone = layers.size();
    while (alone > 0 && recorded.contains(layers[alone - 1].diff_id.render())) --alone;
    for (std::size_t count = 1; count <= layers.size(); ++count) {
        if (layers[count - 1].diff_id.render() != top) continue;
        if (first == 0) first = count;
        if (count >= alone) return count;
    }
    if (first == 0)
        refuse("the image has no layer " +
               (top.empty() ? std::string("of a run image") : base::printable(top.substr(0, 100))) +
               ", which its label names as its run image's last");
    return first;
}

bool is_of_base(const std::string& label) {
    return label.starts_with("io.buildpacks.base.") || label.starts_with("io.buildpacks.stack.");
}

void take_labels(const Labels& from, Labels& to) {
    std::erase_if(to, [](const auto& label) { return is_of_base(label.first); });
    for (const auto& [name, value] : from)
        if (is_of_base(name)) to[name] = value;
}

// What the exporter of this project writes has no registry, so that an image is the same
// everywhere; others write one.
void name_run_image(const RunImage& run, bool renamed, Value& metadata) {
    auto& recorded = metadata["runImage"];
    const bool with_registry =
        names_registry(base::json::find_string(recorded, "reference").value_or(""));
    const auto place = (with_registry ? run.name.registry + "/" : "") + run.name.repository;
    recorded["topLayer"] =
        run.image.layers().empty() ? "" : run.image.layers().back().diff_id.render();
    recorded["reference"] = place + "@" + run.digest.render();
    if (!renamed) return;
    auto name = place;
    if (with_registry && run.name.tag) name += ":" + *run.name.tag;
    if (with_registry && run.name.digest) name += "@" + run.name.digest->render();
    recorded["image"] = name;
    recorded.erase("mirrors");
    metadata["stack"] = {{"runImage", {{"image", name}}}};
}

} // namespace

Rebased rebase(const image::Image& app, const RunImage& run, Force force) {
    auto config = app.config();
    auto metadata = read_metadata(config.labels);
    RebaseRules rules(app, run, force);
    rules.check_base();
    const auto below = layers_of_run_image(app, metadata);
    const bool renamed = !rules.check_name(metadata);
    name_run_image(run, renamed, metadata);
    config.labels[metadata_label] = base::json::render(metadata);
    take_labels(run.image.config().labels, config.labels);
    return {image::on_base(app, below, run.image).with_config(std::move(config)), rules.warnings()};
}

} // namespace builder
