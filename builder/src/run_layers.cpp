#include "builder/run_layers.h"

#include <set>

namespace builder {

RunLayers::RunLayers(const RunImage& run, std::shared_ptr<image::BlobStore> source,
                     const std::string& registry)
    : layers_(run.image.layers()), source_(std::move(source)), mounts_(!registry.empty()) {
    if (registry != run.name.registry) return;
    auto places = places_.lock();
    for (const auto& layer : layers_) places->emplace(layer.descriptor.digest, run.name.repository);
}

RunLayers::Moved RunLayers::put(image::BlobStore& target, const std::string& repository,
                                const image::Image& there, const base::Stop& stop) {
    Moved moved;
    std::set<image::Digest> done;
    for (const auto& layer : there.layers()) done.insert(layer.descriptor.digest);
    for (const auto& layer : layers_) {
        if (!done.insert(layer.descriptor.digest).second) continue;
        ++(put_one(target, repository, layer.descriptor, stop) ? moved.mounted : moved.sent);
    }
    return moved;
}

std::optional<std::string> RunLayers::place_of(const image::Digest& digest) {
    auto places = places_.lock();
    const auto found = places->find(digest);
    if (found == places->end()) return std::nullopt;
    return found->second;
}

// True: mounted.
bool RunLayers::put_one(image::BlobStore& target, const std::string& repository,
                        const image::Descriptor& blob, const base::Stop& stop) {
    auto place = place_of(blob.digest);
    std::unique_lock<std::mutex> first(first_, std::defer_lock);
    if (!place && mounts_) {
        first.lock();
        place = place_of(blob.digest); // whoever was before us has sent it
        if (place) first.unlock();
    }
    if (place && target.mount_blob(blob, *place, stop)) return true;
    send(target, blob, stop);
    if (mounts_) places_.lock()->emplace(blob.digest, repository);
    return false;
}

void RunLayers::send(image::BlobStore& target, const image::Descriptor& blob,
                     const base::Stop& stop) {
    target.stream_blob([&](const image::ByteSink& sink) { source_->read_blob(blob, sink, stop); },
                       stop);
}

// A mount out of the repository itself: it says whether the configuration is there, and where it is
// not begins its upload, in one request instead of two.
image::Digest write_image(image::BlobStore& target, const std::string& repository,
                          const image::Image& image, const std::string& tag,
                          const base::Stop& stop) {
    const auto config = image.render_config();
    const image::Descriptor blob{std::string(image::media_type::config), image::Digest::of(config),
                                 config.size()};
    if (!target.mount_blob(blob, repository, stop))
        target.stream_blob([&](const image::ByteSink& sink) { sink(config); }, stop);
    auto manifest = image.render_manifest();
    const auto digest = image::Digest::of(manifest);
    target.write_manifest({std::string(image::media_type::manifest), std::move(manifest), digest},
                          tag, stop);
    return digest;
}

} // namespace builder
