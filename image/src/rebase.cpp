#include "image/rebase.h"

#include "base/error.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace image {
namespace {

using nlohmann::json;

constexpr const char* platform_keys[] = {"architecture", "variant", "os.version", "os.features"};

// Of the `count` uppermost layers. Entries without a layer below the first of them are the base's
// own: they said how its configuration came about.
json history_above(const json& history, std::size_t count) {
    auto entry = history.end();
    while (count > 0 && entry != history.begin())
        if (--entry; !base::json::find_bool(*entry, "empty_layer", false)) --count;
    json above = json::array();
    std::copy(entry, history.end(), std::back_inserter(above));
    return above;
}

// The first `below` entries of a list give way to another list.
void replace_lowest(json& list, std::size_t below, const json& others) {
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(below));
    list.insert(list.begin(), others.begin(), others.end());
}

} // namespace

Image on_base(const Image& image, std::size_t below, const Image& base) {
    if (below > image.layers().size())
        throw base::Error(base::ErrorKind::internal, "an image has fewer layers than its base");
    json config = json::parse(image.render_config());
    const json other = json::parse(base.render_config());
    for (const char* key : platform_keys) {
        config.erase(key);
        if (other.contains(key)) config[key] = other[key];
    }
    auto history = other.at("history");
    for (auto& entry : history_above(config.at("history"), image.layers().size() - below))
        history.push_back(std::move(entry));
    config["history"] = std::move(history);
    replace_lowest(config.at("rootfs").at("diff_ids"), below, other.at("rootfs").at("diff_ids"));

    json manifest = json::parse(image.render_manifest());
    replace_lowest(manifest.at("layers"), below, json::parse(base.render_manifest()).at("layers"));
    const auto bytes = config.dump();
    manifest["config"]["digest"] = Digest::of(bytes).render();
    manifest["config"]["size"] = bytes.size();
    return Image::parse(manifest.dump(), bytes);
}

} // namespace image
