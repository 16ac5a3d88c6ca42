#include "image/referrers.h"

#include "manifest_json.h"

#include "base/error.h"
#include "base/json.h"

namespace image {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t most_referrers = 10'000;
constexpr std::size_t most_blobs = 1'000;

ordered_json render_annotations(const std::map<std::string, std::string>& annotations) {
    ordered_json rendered = ordered_json::object();
    for (const auto& [key, value] : annotations) rendered[key] = value;
    return rendered;
}

// Values that are no strings are a stranger's, and left out.
std::map<std::string, std::string> annotations_of(const json& object) {
    std::map<std::string, std::string> annotations;
    const auto found = object.find("annotations");
    if (found == object.end() || !found->is_object()) return annotations;
    for (const auto& [key, value] : found->items())
        if (value.is_string()) annotations[key] = value.get<std::string>();
    return annotations;
}

RawManifest raw(std::string_view type, const ordered_json& value) {
    RawManifest manifest{std::string(type), value.dump(), Digest::of("")};
    manifest.digest = Digest::of(manifest.bytes);
    return manifest;
}

json parse_object(std::string_view bytes, const char* what) {
    auto value = base::json::parse(bytes, what);
    if (!value.is_object())
        throw base::Error(base::ErrorKind::invalid_input, std::string(what) + " is not an object");
    return value;
}

} // namespace

Descriptor empty_descriptor() {
    return {std::string(media_type::empty), Digest::of("{}"), 2};
}

RawManifest render_artifact(const Artifact& artifact) {
    ordered_json value{{"schemaVersion", 2},
                       {"mediaType", media_type::manifest},
                       {"artifactType", artifact.type},
                       {"config", render_descriptor(empty_descriptor())},
                       {"layers", ordered_json::array()}};
    for (const auto& blob : artifact.blobs) {
        auto layer = render_descriptor(blob.descriptor);
        if (!blob.annotations.empty()) layer["annotations"] = render_annotations(blob.annotations);
        value["layers"].push_back(std::move(layer));
    }
    if (artifact.subject) value["subject"] = render_descriptor(*artifact.subject);
    if (!artifact.annotations.empty())
        value["annotations"] = render_annotations(artifact.annotations);
    return raw(media_type::manifest, value);
}

Artifact parse_artifact(const RawManifest& manifest) {
    const auto value = parse_object(manifest.bytes, "the manifest");
    Artifact artifact{.type = referrer_of(manifest).artifact_type,
                      .subject = subject_of(manifest),
                      .annotations = annotations_of(value)};
    const auto layers = value.find("layers");
    if (layers == value.end() || !layers->is_array() || layers->size() > most_blobs)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the manifest does not list at most 1,000 layers");
    for (const auto& layer : *layers)
        artifact.blobs.push_back({parse_descriptor(layer), annotations_of(layer)});
    return artifact;
}

std::optional<Descriptor> subject_of(const RawManifest& manifest) {
    const auto value = parse_object(manifest.bytes, "the manifest");
    const auto found = value.find("subject");
    if (found == value.end() || found->is_null()) return std::nullopt;
    return parse_descriptor(*found);
}

Referrer referrer_of(const RawManifest& manifest) {
    const auto value = parse_object(manifest.bytes, "the manifest");
    auto type = base::json::find_string(value, "artifactType").value_or("");
    if (const auto config = value.find("config");
        type.empty() && config != value.end() && config->is_object())
        type = base::json::find_string(*config, "mediaType").value_or("");
    return {{manifest.media_type, manifest.digest, manifest.bytes.size()},
            std::move(type),
            annotations_of(value)};
}

std::vector<Referrer> parse_referrers(std::string_view index) {
    const auto value = parse_object(index, "the list of referrers");
    const auto manifests = value.find("manifests");
    if (manifests == value.end() || !manifests->is_array() || manifests->size() > most_referrers)
        throw base::Error(base::ErrorKind::invalid_input,
                          "the list of referrers is not an index of at most 10,000 manifests");
    std::vector<Referrer> referrers;
    for (const auto& entry : *manifests)
        referrers.push_back({parse_descriptor(entry),
                             base::json::find_string(entry, "artifactType").value_or(""),
                             annotations_of(entry)});
    return referrers;
}

RawManifest render_referrers(const std::vector<Referrer>& referrers) {
    ordered_json value{{"schemaVersion", 2},
                       {"mediaType", media_type::index},
                       {"manifests", ordered_json::array()}};
    for (const auto& referrer : referrers) {
        auto entry = render_descriptor(referrer.descriptor);
        if (!referrer.artifact_type.empty()) entry["artifactType"] = referrer.artifact_type;
        if (!referrer.annotations.empty())
            entry["annotations"] = render_annotations(referrer.annotations);
        value["manifests"].push_back(std::move(entry));
    }
    return raw(media_type::index, value);
}

std::string referrers_tag(const Digest& subject) {
    return "sha256-" + subject.hex();
}

} // namespace image
