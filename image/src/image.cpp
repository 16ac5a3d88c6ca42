#include "image/image.h"

#include "manifest_json.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>

namespace image {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

[[noreturn]] void refuse(std::string why) {
    throw base::Error(base::ErrorKind::invalid_input, std::move(why));
}

constexpr const char* compressor_annotation = "dev.slipway.compressor";
constexpr std::size_t most_layers = 1000; // overlayfs mounts fewer; a stranger's list may be long

std::string_view oci_layer_type(std::string_view type) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> known{{
        {media_type::layer_tar, media_type::layer_tar},
        {media_type::layer_gzip, media_type::layer_gzip},
        {media_type::layer_zstd, media_type::layer_zstd},
        {media_type::docker_layer_gzip, media_type::layer_gzip},
        {"application/vnd.docker.image.rootfs.diff.tar", media_type::layer_tar},
        {"application/vnd.docker.image.rootfs.diff.tar.zstd", media_type::layer_zstd},
    }};
    for (const auto& [from, to] : known)
        if (type == from) return to;
    refuse("the manifest has a layer of the type " + base::quoted(type) +
           ", which is not one of an image's layers");
}

std::vector<std::string> strings_or_none(const json& object, std::string_view name) {
    const auto found = object.find(std::string(name));
    if (found == object.end() || found->is_null()) return {};
    return base::json::get_strings(object, name);
}

ContainerConfig parse_container_config(const json& config) {
    ContainerConfig parsed;
    if (!config.is_object()) return parsed;
    parsed.user = base::json::find_string(config, "User").value_or("");
    parsed.environment = strings_or_none(config, "Env");
    parsed.entrypoint = strings_or_none(config, "Entrypoint");
    parsed.command = strings_or_none(config, "Cmd");
    parsed.working_directory = base::json::find_string(config, "WorkingDir").value_or("");
    if (const auto labels = config.find("Labels"); labels != config.end() && !labels->is_null()) {
        if (!labels->is_object()) refuse("Labels of the configuration is not an object");
        for (const auto& [key, value] : labels->items())
            parsed.labels[key] = base::json::get_string(*labels, key);
    }
    return parsed;
}

// What is neither modelled nor named in `placed` is carried along, sorted by name.
void carry_rest(const json& base, ordered_json& out, std::initializer_list<const char*> modelled) {
    if (!base.is_object()) return;
    for (const auto& [key, value] : base.items()) {
        bool ours = out.contains(key);
        for (const char* name : modelled) ours = ours || key == name;
        if (!ours) out[key] = ordered_json(value);
    }
}

void carry(const json& base, const char* key, ordered_json& out) {
    if (base.is_object() && base.contains(key) && !base[key].is_null())
        out[key] = ordered_json(base[key]);
}

// In the order of the image-spec's config.md.
ordered_json render_container_config(const ContainerConfig& config, const json& base) {
    ordered_json out = ordered_json::object();
    if (!config.user.empty()) out["User"] = config.user;
    carry(base, "ExposedPorts", out);
    if (!config.environment.empty()) out["Env"] = config.environment;
    if (!config.entrypoint.empty()) out["Entrypoint"] = config.entrypoint;
    if (!config.command.empty()) out["Cmd"] = config.command;
    carry(base, "Volumes", out);
    if (!config.working_directory.empty()) out["WorkingDir"] = config.working_directory;
    if (!config.labels.empty()) {
        ordered_json labels = ordered_json::object();
        for (const auto& [key, value] : config.labels) labels[key] = value;
        out["Labels"] = std::move(labels);
    }
    carry(base, "StopSignal", out);
    carry_rest(base, out, {"User", "Env", "Entrypoint", "Cmd", "WorkingDir", "Labels"});
    return out;
}

// One entry a layer that is not empty_layer is what other tools count on, so a base image whose
// history is short gets plain entries in front of ours.
ordered_json render_history(const json& base, std::size_t base_layers,
                            const std::vector<HistoryEntry>& added, const std::string& created) {
    ordered_json history = ordered_json::array();
    std::size_t told = 0;
    if (base.contains("history") && base["history"].is_array()) {
        for (const auto& entry : base["history"]) {
            if (!entry.is_object()) continue;
            if (!base::json::find_bool(entry, "empty_layer", false)) ++told;
            ordered_json kept = ordered_json::object();
            for (const char* key : {"created", "created_by", "author", "comment", "empty_layer"})
                carry(entry, key, kept);
            history.push_back(std::move(kept));
        }
    }
    for (; told < base_layers; ++told) history.push_back({{"created", created}});
    for (const auto& entry : added) {
        ordered_json ours{{"created", created}, {"created_by", entry.created_by}};
        if (entry.empty_layer) ours["empty_layer"] = true;
        history.push_back(std::move(ours));
    }
    return history;
}

// A registry is somewhere where others may write: what is no short printable line is nobody's.
std::string parse_compressor(const json& descriptor) {
    const auto annotations = descriptor.find("annotations");
    if (annotations == descriptor.end() || !annotations->is_object()) return {};
    const auto name = annotations->find(compressor_annotation);
    if (name == annotations->end() || !name->is_string()) return {};
    auto text = name->get<std::string>();
    return text.size() <= 100 && base::printable(text) == text ? text : std::string();
}

std::vector<Layer> parse_layers(const json& manifest) {
    const auto layers = manifest.find("layers");
    if (layers == manifest.end() || !layers->is_array()) refuse("the manifest has no layers");
    if (layers->size() > most_layers) refuse("the manifest has more than 1000 layers");
    std::vector<Layer> parsed;
    for (const auto& value : *layers) {
        Descriptor layer = parse_descriptor(value);
        layer.media_type = oci_layer_type(layer.media_type);
        parsed.push_back({std::move(layer), {}, parse_compressor(value)});
    }
    return parsed;
}

Descriptor find_config(const json& manifest) {
    if (!manifest.is_object()) refuse("the image's manifest is not an object");
    if (base::json::find_integer(manifest, "schemaVersion").value_or(0) != 2)
        refuse("the image's manifest is not of schema version 2");
    if (const auto type = base::json::find_string(manifest, "mediaType");
        type && !is_manifest_type(*type))
        refuse("a manifest of the type " + base::quoted(*type) + " is not an image's");
    if (!manifest.contains("config")) refuse("the image's manifest has no configuration");
    Descriptor config = parse_descriptor(manifest["config"]);
    if (config.media_type != media_type::config && config.media_type != media_type::docker_config)
        refuse("this is not a container image: its configuration is of the type " +
               base::quoted(config.media_type));
    return config;
}

std::vector<std::string> parse_diff_ids(const json& config) {
    const auto rootfs = config.find("rootfs");
    if (rootfs == config.end() || !rootfs->is_object())
        refuse("the image's configuration has no rootfs");
    return strings_or_none(*rootfs, "diff_ids");
}

std::string dump(const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace

std::string this_architecture() {
#if defined(__aarch64__)
    return "arm64";
#elif defined(__x86_64__)
    return "amd64";
#else
#error "name this architecture as Go does: images say so"
#endif
}

Descriptor parse_descriptor(const json& value) {
    if (!value.is_object()) refuse("a descriptor is not an object");
    Descriptor parsed;
    parsed.media_type = base::json::get_string(value, "mediaType");
    parsed.digest = Digest::parse(base::json::get_string(value, "digest"));
    const auto size = base::json::get_integer(value, "size");
    if (size < 0 || size >= 1ll << 40)
        refuse("a descriptor has the impossible size " + std::to_string(size));
    parsed.size = static_cast<std::uint64_t>(size);
    return parsed;
}

ordered_json render_descriptor(const Descriptor& descriptor) {
    return {{"mediaType", descriptor.media_type},
            {"digest", descriptor.digest.render()},
            {"size", descriptor.size}};
}

bool is_index_type(std::string_view type) {
    return type == media_type::index || type == media_type::docker_manifest_list;
}

bool is_manifest_type(std::string_view type) {
    return type == media_type::manifest || type == media_type::docker_manifest;
}

std::vector<Descriptor> blobs_of(const RawManifest& manifest) {
    const auto value = base::json::parse(manifest.bytes, "the image's manifest");
    std::vector<Descriptor> blobs{find_config(value)};
    const auto layers = value.value("layers", json::array());
    for (const auto& layer : layers) blobs.push_back(parse_descriptor(layer));
    return blobs;
}

Descriptor config_of_manifest(std::string_view manifest) {
    return find_config(base::json::parse(manifest, "the image's manifest"));
}

struct Image::Rendered {
    std::once_flag config_once, manifest_once;
    std::string config, manifest;
};

Image::Image(std::string architecture)
    : architecture_(std::move(architecture)), raw_config_("{}"),
      rendered_(std::make_shared<Rendered>()) {}

Image Image::parse(std::string_view manifest, std::string_view config) {
    const json listed = base::json::parse(manifest, "the image's manifest");
    const Descriptor expected = find_config(listed);
    if (expected.size != config.size() || expected.digest != Digest::of(config))
        refuse("the image's configuration is not the one that its manifest names");
    const json parsed = base::json::parse(config, "the image's configuration");
    if (!parsed.is_object()) refuse("the image's configuration is not an object");
    const auto os = base::json::get_string(parsed, "os");
    if (os != "linux") refuse("the image is for " + base::quoted(os) + ", not for linux");

    Image image(base::json::get_string(parsed, "architecture"));
    image.variant_ = base::json::find_string(parsed, "variant").value_or("");
    auto layers = parse_layers(listed);
    const auto diff_ids = parse_diff_ids(parsed);
    if (layers.size() != diff_ids.size())
        refuse("the image's manifest has " + std::to_string(layers.size()) +
               " layers but its configuration has " + std::to_string(diff_ids.size()));
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i].diff_id = Digest::parse(diff_ids[i]);
    image.layers_ = std::move(layers);
    if (parsed.contains("config")) image.config_ = parse_container_config(parsed["config"]);
    if (auto created = base::json::find_string(parsed, "created"))
        image.created_ = std::move(*created);
    image.raw_config_ = std::string(config);
    return image;
}

Image Image::copy_to_change() const {
    Image image = *this;
    image.rendered_ = std::make_shared<Rendered>();
    return image;
}

Image Image::with_layers(std::vector<Layer> layers, std::vector<HistoryEntry> history) const {
    const auto told = std::count_if(history.begin(), history.end(),
                                    [](const auto& entry) { return !entry.empty_layer; });
    if (static_cast<std::size_t>(told) != layers.size())
        throw base::Error(base::ErrorKind::internal, "layers and their history do not match");
    Image image = copy_to_change();
    for (auto& layer : layers) {
        layer.descriptor.media_type = oci_layer_type(layer.descriptor.media_type);
        image.layers_.push_back(std::move(layer));
    }
    for (auto& entry : history) image.added_history_.push_back(std::move(entry));
    return image;
}

Image Image::with_config(ContainerConfig config) const {
    Image image = copy_to_change();
    image.config_ = std::move(config);
    return image;
}

Image Image::with_created(std::string rfc3339) const {
    Image image = copy_to_change();
    image.created_ = std::move(rfc3339);
    return image;
}

// In the order of the image-spec's config.md; what else a base image has follows, sorted.
std::string Image::make_config() const {
    const json base = json::parse(raw_config_);
    const auto ours = std::count_if(added_history_.begin(), added_history_.end(),
                                    [](const auto& entry) { return !entry.empty_layer; });
    ordered_json out = ordered_json::object();
    out["created"] = created_;
    carry(base, "author", out);
    out["architecture"] = architecture_;
    out["os"] = "linux";
    for (const char* key : {"os.version", "os.features", "variant"}) carry(base, key, out);
    out["config"] = render_container_config(config_, base.value("config", json::object()));
    ordered_json diff_ids = ordered_json::array();
    for (const auto& layer : layers_) diff_ids.push_back(layer.diff_id.render());
    out["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
    out["history"] = render_history(base, layers_.size() - static_cast<std::size_t>(ours),
                                    added_history_, created_);
    // Of the build container of an old Docker engine; it says nothing about this image.
    carry_rest(base, out, {"container", "container_config", "id", "parent"});
    return dump(out);
}

std::string Image::make_manifest() const {
    const auto& config = render_config();
    ordered_json layers = ordered_json::array();
    for (const auto& layer : layers_) {
        auto descriptor = render_descriptor(layer.descriptor);
        if (!layer.compressor.empty())
            descriptor["annotations"] = {{compressor_annotation, layer.compressor}};
        layers.push_back(std::move(descriptor));
    }
    return dump({{"schemaVersion", 2},
                 {"mediaType", media_type::manifest},
                 {"config", render_descriptor({std::string(media_type::config), Digest::of(config),
                                               config.size()})},
                 {"layers", std::move(layers)}});
}

const std::string& Image::render_config() const {
    std::call_once(rendered_->config_once, [this] { rendered_->config = make_config(); });
    return rendered_->config;
}

const std::string& Image::render_manifest() const {
    std::call_once(rendered_->manifest_once, [this] { rendered_->manifest = make_manifest(); });
    return rendered_->manifest;
}

Digest Image::digest() const {
    return Digest::of(render_manifest());
}

std::uint64_t Image::total_size() const {
    return std::accumulate(
        layers_.begin(), layers_.end(), std::uint64_t{render_config().size()},
        [](std::uint64_t sum, const Layer& layer) { return sum + layer.descriptor.size; });
}

std::optional<Digest> choose_from_index(const RawManifest& raw, std::string_view architecture) {
    const json parsed = base::json::parse(raw.bytes, "the image's manifest");
    if (!parsed.is_object()) refuse("the image's manifest is not an object");
    const auto type = base::json::find_string(parsed, "mediaType").value_or(raw.media_type);
    if (!is_index_type(type) && !(type.empty() && parsed.contains("manifests"))) return {};

    std::string others;
    const auto manifests = parsed.find("manifests");
    if (manifests == parsed.end() || !manifests->is_array()) refuse("the index has no manifests");
    for (const auto& entry : *manifests) {
        if (!entry.is_object()) refuse("an entry of the index is not an object");
        const json platform = entry.value("platform", json::object());
        if (!platform.is_object()) continue;
        const auto os = base::json::find_string(platform, "os").value_or("");
        const auto has = base::json::find_string(platform, "architecture").value_or("");
        if (os == "linux" && has == architecture) return parse_descriptor(entry).digest;
        if (os != "unknown" && others.size() < 200) // attestations call themselves unknown
            others += (others.empty() ? "" : ", ") + os + "/" + has;
    }
    throw base::Error(base::ErrorKind::not_found,
                      "the image has no variant for linux/" + std::string(architecture),
                      others.empty() ? "" : "It has: " + base::printable(others) + ".");
}

} // namespace image
