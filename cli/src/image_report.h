// What an image is made of, read from its labels (platform.md, "Labels"): for `slipway inspect` and
// `slipway diff`. Pure.
#pragma once

#include "image/image.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cli {

struct ReportedLayer {
    std::string by;   // "run image", "app", "platform", or a buildpack's id
    std::string name; // of a buildpack's layer, or what it is: "slice 2", "launcher"
    image::Layer layer;
};

struct ReportedProcess {
    std::string type;
    std::string command;
    bool is_default = false;
};

struct ImageReport {
    std::vector<ReportedLayer> layers;   // in the image's order
    std::vector<std::string> buildpacks; // "id@version", in their order
    std::vector<ReportedProcess> processes;
    std::string run_image;
};

// Of an image without the labels every layer is the run image's.
ImageReport report_on(const image::Image& image);

// The layers of one owner and name. Those of a run image, and the slices of an app, count together:
// slices are cut by sizes and a run image's layers have no names, so neither says anything alone.
struct LayerGroup {
    std::string by, name;
    std::vector<image::Layer> layers;
    std::uint64_t size() const; // compressed bytes
};
std::vector<LayerGroup> group_layers(const ImageReport& report); // in the image's order
// The group of the same owner and name; null when there is none.
const LayerGroup* find_group(const std::vector<LayerGroup>& groups, const LayerGroup& like);

struct LayerChange {
    enum class Kind { same, changed, added, removed } kind = Kind::same;
    std::string by, name;
    std::uint64_t before = 0, after = 0; // compressed bytes
};
// By group, in the order of the newer image; what left comes last.
std::vector<LayerChange> compare_layers(const ImageReport& before, const ImageReport& after);

struct SettingChange {
    std::string name;          // "env PATH", "entrypoint", "process web", "buildpack a/b"
    std::string before, after; // empty: it was not there
};
std::vector<SettingChange> compare_settings(const image::Image& before, const image::Image& after);

} // namespace cli
