#include "image_comparison.h"

#include <algorithm>

namespace cli {
namespace {

std::string name_of(const LayerGroup& group) {
    return group.name.empty() ? group.by : group.by + ": " + group.name;
}

bool same_content(const LayerGroup& one, const LayerGroup& other) {
    return std::equal(
        one.layers.begin(), one.layers.end(), other.layers.begin(), other.layers.end(),
        [](const image::Layer& a, const image::Layer& b) { return a.diff_id == b.diff_id; });
}

// Digests of layers and what tells the launcher what to run: they follow from the rest, so that
// they are named only when nothing else is.
std::vector<SettingChange> compare_platform_labels(const image::Image& before,
                                                   const image::Image& after) {
    std::vector<SettingChange> changes;
    const auto& now = after.config().labels;
    for (const auto& [name, value] : before.config().labels) {
        const auto found = now.find(name);
        if (found == now.end())
            changes.push_back({"label " + name, value, ""});
        else if (found->second != value)
            changes.push_back({"label " + name, value, found->second});
    }
    for (const auto& [name, value] : now)
        if (!before.config().labels.contains(name)) changes.push_back({"label " + name, "", value});
    return changes;
}

class Comparing {
  public:
    Comparing(const FoundImage& before, const FoundImage& after, const base::Stop& stop)
        : before_(before), after_(after), stop_(stop) {}

    ImageComparison run() {
        const auto old_image = read_image(before_, stop_), new_image = read_image(after_, stop_);
        const auto old_groups = group_layers(report_on(old_image));
        const auto new_groups = group_layers(report_on(new_image));
        result_.same_digest = before_.manifest.digest == after_.manifest.digest;
        for (const auto& then : old_groups) {
            const auto* now = find_group(new_groups, then);
            compare(then, now ? *now : LayerGroup{then.by, then.name, {}});
        }
        for (const auto& now : new_groups)
            if (!find_group(old_groups, now)) compare({now.by, now.name, {}}, now);
        result_.settings = compare_settings(old_image, new_image);
        if (result_.same_content() && old_image.render_config() != new_image.render_config())
            result_.settings = compare_platform_labels(old_image, new_image);
        return std::move(result_);
    }

  private:
    void compare(const LayerGroup& then, const LayerGroup& now) {
        if (same_content(then, now)) return compare_compressors(then, now);
        result_.layers.push_back(name_of(then));
        if (!result_.files.empty()) return;
        result_.files = compare_files(read_files(*before_.store, then.layers, stop_),
                                      read_files(*after_.store, now.layers, stop_));
        if (!result_.files.empty()) result_.first_layer = result_.layers.back();
    }

    void compare_compressors(const LayerGroup& then, const LayerGroup& now) {
        for (std::size_t i = 0; i < then.layers.size(); ++i)
            if (then.layers[i].compressor != now.layers[i].compressor)
                result_.compressors.push_back(
                    {name_of(then), then.layers[i].compressor, now.layers[i].compressor});
    }

    const FoundImage& before_;
    const FoundImage& after_;
    const base::Stop& stop_;
    ImageComparison result_;
};

} // namespace

ImageComparison compare_images(const FoundImage& before, const FoundImage& after,
                               const base::Stop& stop) {
    return Comparing(before, after, stop).run();
}

} // namespace cli
