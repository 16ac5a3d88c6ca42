#include "image/index.h"

#include "manifest_json.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <tuple>

namespace image {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t most_entries = 1000; // a stranger's list may be long

[[noreturn]] void refuse(std::string why) {
    throw base::Error(base::ErrorKind::invalid_input, std::move(why));
}

Platform parse_platform(const json& entry) {
    const auto found = entry.find("platform");
    if (found == entry.end() || found->is_null()) return {"unknown", "unknown"};
    if (!found->is_object()) refuse("a platform of the index is not an object");
    return {base::json::get_string(*found, "os"), base::json::get_string(*found, "architecture"),
            base::json::find_string(*found, "variant").value_or("")};
}

Index::Entry parse_entry(const json& value) {
    Index::Entry entry{parse_descriptor(value), parse_platform(value)};
    const auto annotations = value.find("annotations");
    if (annotations == value.end() || !annotations->is_object()) return entry;
    for (const auto& [key, text] : annotations->items())
        if (text.is_string()) entry.annotations[key] = text.get<std::string>();
    return entry;
}

ordered_json render_entry(const Index::Entry& entry) {
    auto rendered = render_descriptor(entry.manifest);
    if (!entry.annotations.empty()) {
        auto& annotations = rendered["annotations"] = ordered_json::object();
        for (const auto& [key, text] : entry.annotations) annotations[key] = text;
    }
    auto& platform = rendered["platform"] = {{"architecture", entry.platform.architecture},
                                             {"os", entry.platform.os}};
    if (!entry.platform.variant.empty()) platform["variant"] = entry.platform.variant;
    return rendered;
}

} // namespace

Index Index::parse(const RawManifest& raw) {
    const auto value = base::json::parse(raw.bytes, "the index");
    if (!value.is_object()) refuse("the index is not an object");
    const auto type = base::json::find_string(value, "mediaType").value_or(raw.media_type);
    if (!is_index_type(type))
        refuse("a manifest of the type " + base::quoted(type) + " is not an index");
    const auto manifests = value.find("manifests");
    if (manifests == value.end() || !manifests->is_array() || manifests->size() > most_entries)
        refuse("the index is not a list of at most 1000 manifests");
    Index index;
    for (const auto& entry : *manifests) index.entries_.push_back(parse_entry(entry));
    return index;
}

Index Index::with(Entry entry) const {
    Index index = *this;
    std::erase_if(index.entries_, [&](const Entry& one) {
        return one.manifest.digest == entry.manifest.digest ||
               (entry.platform.os != "unknown" && one.platform == entry.platform);
    });
    index.entries_.push_back(std::move(entry));
    return index;
}

RawManifest Index::render() const {
    if (entries_.empty()) refuse("an index of no manifests is no image");
    const auto is_docker = [](const Entry& entry) {
        if (entry.manifest.media_type == media_type::docker_manifest) return true;
        if (entry.manifest.media_type == media_type::manifest) return false;
        refuse("a manifest of the type " + base::quoted(entry.manifest.media_type) +
               " does not belong into an image's index");
    };
    const bool docker = is_docker(entries_.front());
    if (std::any_of(entries_.begin(), entries_.end(),
                    [&](const Entry& entry) { return is_docker(entry) != docker; }))
        refuse("an index has manifests of OCI's types or of Docker's, not of both");
    auto sorted = entries_;
    std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.platform, a.manifest.digest) < std::tie(b.platform, b.manifest.digest);
    });
    const auto type = docker ? media_type::docker_manifest_list : media_type::index;
    ordered_json value{{"schemaVersion", 2}, {"mediaType", type}, {"manifests", json::array()}};
    for (const auto& entry : sorted) value["manifests"].push_back(render_entry(entry));
    auto bytes = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    const auto digest = Digest::of(bytes);
    return {std::string(type), std::move(bytes), digest};
}

} // namespace image
