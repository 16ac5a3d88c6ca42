#include "layers.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "image/oci_layout.h"

#include <unistd.h>

namespace packages {
namespace {

namespace fs = std::filesystem;

// git's own files differ between two clones of the same commit.
bool belongs_to_buildpack(std::string_view relative) {
    return relative != ".git";
}

void copy_blob(const image::Descriptor& blob, const BaseImage& base, image::BlobStore& target,
               const base::Stop& stop) {
    if (!base.repository.empty() && target.mount_blob(blob, base.repository, stop)) return;
    target.stream_blob(
        [&](const image::ByteSink& sink) { base.store->read_blob(blob, sink, stop); }, stop);
}

const image::BlobFile* find_blob(const WrittenImage& written, const image::Digest& digest) {
    for (const auto& blob : written.blobs)
        if (blob.descriptor.digest == digest) return &blob;
    return nullptr;
}

} // namespace

fs::path LayerList::next_path() const {
    return scratch_ / ("layer-" + std::to_string(layers_.size()));
}

void LayerList::add(const image::WrittenLayer& layer, std::string created_by) {
    layers_.push_back(layer.layer);
    history_.push_back({std::move(created_by), false});
    blobs_.push_back({layer.layer.descriptor, layer.path});
}

DiffIds LayerList::add_buildpacks(const Contents& contents) {
    DiffIds diff_ids;
    for (const auto& component : contents) {
        const auto written =
            image::write_layer_file(next_path(), {}, [&](image::LayerWriter& writer) {
                writer.add_tree(component.directory,
                                "cnb/buildpacks/" + component.info.escaped_id() + "/" +
                                    component.info.version,
                                root_owner, belongs_to_buildpack, image::Modes::normal);
            });
        add(written, "Buildpack: " + component.info.full_name());
        diff_ids[component.info.full_name()] = written.layer.diff_id.render();
    }
    return diff_ids;
}

WrittenImage LayerList::finish(const image::Image& base, image::ContainerConfig config) {
    auto image = base.with_layers(layers_, history_).with_config(std::move(config));
    const auto bytes = image.render_config();
    const auto path = scratch_ / "config.json";
    base::write_file(path, bytes);
    blobs_.push_back(
        {{std::string(image::media_type::config), image::Digest::of(bytes), bytes.size()}, path});
    return {std::move(image), std::move(blobs_)};
}

image::Digest store_image(const WrittenImage& written, const BaseImage& base,
                          image::BlobStore& target, const std::string& tag,
                          const base::Stop& stop) {
    std::map<image::Digest, image::Descriptor> wanted;
    for (const auto& layer : written.image.layers())
        wanted.emplace(layer.descriptor.digest, layer.descriptor);
    for (const auto& blob : written.blobs) wanted.emplace(blob.descriptor.digest, blob.descriptor);
    std::vector<image::Descriptor> all;
    for (const auto& [digest, descriptor] : wanted) all.push_back(descriptor);
    for (const auto& digest : target.find_missing(all, stop)) {
        if (const auto* blob = find_blob(written, digest))
            target.write_blob(*blob, stop);
        else
            copy_blob(wanted.at(digest), base, target, stop);
    }
    const auto manifest = written.image.render_manifest();
    const auto digest = image::Digest::of(manifest);
    target.write_manifest({std::string(image::media_type::manifest), manifest, digest},
                          tag.empty() ? std::nullopt : std::optional(tag), stop);
    return digest;
}

image::Digest write_cnb_file(const WrittenImage& written, const fs::path& file,
                             const fs::path& scratch, const base::Stop& stop) {
    const auto layout = scratch / "layout";
    const auto digest = store_image(written, {}, *image::open_oci_layout(layout), "", stop);
    // Beside its place, so that a rename is all that is left.
    const fs::path unfinished = file.string() + ".part";
    try {
        image::write_layer_file(
            unfinished, {.compression = image::Compression::none, .names = image::Names::relative},
            [&](image::LayerWriter& tar) {
                tar.add_tree(layout, "", root_owner, {}, image::Modes::normal);
            });
        fs::rename(unfinished, file);
    } catch (...) {
        ::unlink(unfinished.c_str());
        throw;
    }
    return digest;
}

} // namespace packages
