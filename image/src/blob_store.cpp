#include "image/blob_store.h"

#include "image/index.h"
#include "manifest_json.h"

#include "base/error.h"
#include "base/json.h"

namespace image {
namespace {

constexpr std::uint64_t longest_config = 8u << 20; // labels of large apps reach some 100 KiB

RawManifest demand_manifest(BlobStore& store, std::string_view tag_or_digest, std::string_view name,
                            const base::Stop& stop) {
    if (auto found = store.read_manifest(tag_or_digest, stop)) return std::move(*found);
    throw base::Error(base::ErrorKind::not_found, "there is no image " + std::string(name));
}

std::string read_config(BlobStore& store, const RawManifest& manifest, std::string_view name,
                        const base::Stop& stop) {
    const Descriptor config = config_of_manifest(manifest.bytes);
    if (config.size > longest_config)
        throw base::Error(base::ErrorKind::limit_exceeded, "the configuration of the image " +
                                                               std::string(name) +
                                                               " has more than 8 MiB");
    std::string bytes;
    store.read_blob(
        config, [&](std::string_view part) { bytes += part; }, stop);
    return bytes;
}

} // namespace

Platform read_platform(BlobStore& store, const RawManifest& image, const base::Stop& stop) {
    const auto name = image.digest.render();
    const auto config = base::json::parse(read_config(store, image, name, stop),
                                          "the configuration of the image " + name);
    if (!config.is_object())
        throw base::Error(base::ErrorKind::invalid_input,
                          "the configuration of the image " + name + " is not an object");
    return {base::json::get_string(config, "os"), base::json::get_string(config, "architecture"),
            base::json::find_string(config, "variant").value_or("")};
}

Image read_image(BlobStore& store, std::string_view tag_or_digest, std::string_view architecture,
                 std::string_view name, const base::Stop& stop) {
    return base::while_doing("reading the image " + std::string(name), [&] {
        RawManifest manifest = demand_manifest(store, tag_or_digest, name, stop);
        if (const auto chosen = choose_from_index(manifest, architecture))
            manifest = demand_manifest(store, chosen->render(), name, stop);
        Image image = Image::parse(manifest.bytes, read_config(store, manifest, name, stop));
        if (image.architecture() != architecture)
            throw base::Error(base::ErrorKind::invalid_input,
                              "the image " + std::string(name) + " is for linux/" +
                                  image.architecture() + ", not linux/" +
                                  std::string(architecture));
        return image;
    });
}

} // namespace image
