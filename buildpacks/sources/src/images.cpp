#include "images.h"

#include "hosts.h"

#include "base/beneath.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "image/image.h"
#include "image/oci_layout.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>

namespace sources {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorKind;

constexpr const char* package_label = "io.buildpacks.buildpackage.metadata";

buildpacks::OrderElement root_of(const image::Image& image, const std::string& name) {
    const auto& labels = image.config().labels;
    const auto label = labels.find(package_label);
    if (label == labels.end())
        throw Error(ErrorKind::invalid_input, name + " is not a buildpackage",
                    is_builder(image) ? "It is a builder. Name one buildpack of it, or let the "
                                        "server build with it."
                                      : "It has no label " + std::string(package_label) + ".");
    const auto metadata = base::json::parse(label->second, "the label of " + name);
    return {base::json::get_string(metadata, "id"), base::json::get_string(metadata, "version"),
            false};
}

// Before any of it is fetched.
void check_size(const image::Image& image, std::uint64_t most_bytes, const std::string& name) {
    std::uint64_t bytes = 0;
    for (const auto& layer : image.layers()) {
        if (layer.descriptor.size > most_bytes - bytes)
            throw Error(ErrorKind::limit_exceeded,
                        name + " is larger than " + base::human_bytes(most_bytes));
        bytes += layer.descriptor.size;
    }
}

// An image's own layout names it once; a shared one, once for each platform.
std::string manifest_in(const fs::path& layout, const std::string& name) {
    const auto index = base::read_beneath(layout, "index.json");
    if (!index)
        throw Error(ErrorKind::invalid_input, name + " is an image layout without an index");
    const auto value = base::json::parse(*index, "the index.json of " + name);
    const auto manifests = value.find("manifests");
    if (manifests == value.end() || !manifests->is_array())
        throw Error(ErrorKind::invalid_input, "the index.json of " + name + " lists no images");
    if (manifests->size() == 1) return base::json::get_string(manifests->front(), "digest");
    const image::RawManifest raw{std::string(image::media_type::index), *index,
                                 image::Digest::of(*index)};
    return image::choose_from_index(raw, image::this_architecture())->render();
}

// `use` takes each directory <root>/<id>/<version> that has the descriptor.
template <class Use>
void for_each_directory(const std::vector<fs::path>& layers, const std::string& root,
                        const std::string& descriptor, Use&& use) {
    for (const auto& layer : layers)
        for (const auto& id : base::list_beneath(layer, root))
            for (const auto& version : base::list_beneath(layer, root + "/" + id.name)) {
                const auto relative = root + "/" + id.name + "/" + version.name;
                // Else a link's place, or a layer that says it is gone.
                if (base::read_beneath(layer, relative + "/" + descriptor)) use(layer / relative);
            }
}

} // namespace

Package Images::fetch(const ImageName& name, const base::Stop& stop) const {
    auto reference = image::Reference::parse(name.reference);
    auto settings = settings_.registry;
    if (settings_.access.hosts != Access::Hosts::any)
        std::erase_if(settings.credentials,
                      [](const auto& entry) { return !entry.second.for_strangers; });
    const auto host = http::parse_url("https://" + reference.registry);
    settings.allow_address = address_check(settings_.access, host.host, host.port);
    if (settings.allow_address) checked_addresses(settings_.access, host); // for its message
    if (!reference.digest) {
        const auto repository =
            registry::open_repository(reference.registry, reference.repository, settings);
        const auto manifest = repository->read_manifest(reference.tag.value_or("latest"), stop);
        if (!manifest) throw Error(ErrorKind::not_found, "there is no image " + reference.render());
        reference = reference.with_digest(manifest->digest);
    }
    on_line_("Using the image " + reference.render());
    const registry::ImageStore images(store_.images(), settings);
    const auto pinned = images.read(reference, stop);
    auto root = root_of(pinned.image, reference.render());
    check_size(pinned.image, settings_.access.most_bytes, reference.render());
    image::UnpackLimits limits;
    limits.bytes = settings_.access.most_bytes;
    return {std::move(root), images.unpack(pinned, stop, limits), reference.render()};
}

Package Images::open(const fs::path& layout, const std::string& name,
                     const base::Stop& stop) const {
    const auto manifest = manifest_in(layout, name);
    // Opening it makes what is missing: in a stranger's tree, that may be a link to elsewhere.
    if (!base::open_beneath(layout, "blobs/sha256", O_RDONLY | O_DIRECTORY))
        throw Error(ErrorKind::invalid_input, name + " is an image layout without blobs");
    const auto blobs = image::open_oci_layout(layout);
    const auto image = image::read_image(*blobs, manifest, image::this_architecture(), name, stop);
    Package package{root_of(image, name), {}, name};
    for (const auto& layer : image.layers())
        package.layers.push_back(store_.obtain(
            "layer-" + layer.diff_id.hex(),
            [&](const fs::path& tree) {
                const auto file = base::open_beneath(
                    layout, "blobs/sha256/" + layer.descriptor.digest.hex(), O_RDONLY);
                if (!file)
                    throw Error(ErrorKind::invalid_input,
                                name + " lacks its layer " + layer.descriptor.digest.render());
                image::UnpackLimits limits;
                limits.bytes = settings_.access.most_bytes;
                const auto unpacked = image::unpack_layer(image::bytes_of_file(file.get()), tree,
                                                          image::LayersBelow{}, limits, stop);
                if (unpacked->diff_id != layer.diff_id)
                    throw Error(ErrorKind::invalid_input,
                                name + " has a layer that is not what its configuration says");
            },
            stop));
    return package;
}

void add_buildpacks_of_layers(const std::vector<fs::path>& layers,
                              buildpacks::Buildpack::Mounting mounting, const std::string& origin,
                              buildpacks::Catalog& catalog) {
    for_each_directory(layers, "cnb/buildpacks", "buildpack.toml", [&](const fs::path& directory) {
        if (auto composite = buildpacks::load_composite(directory)) {
            composite->info.source = origin;
            catalog.add(std::move(*composite));
        } else {
            catalog.add(buildpacks::load_cnb(directory, mounting, origin));
        }
    });
}

void add_extensions_of_layers(const std::vector<fs::path>& layers, buildpacks::Catalog& catalog) {
    for_each_directory(layers, "cnb/extensions", "extension.toml", [&](const fs::path& directory) {
        catalog.add(buildpacks::load_extension(directory, buildpacks::Buildpack::Mounting::none));
    });
}

} // namespace sources
