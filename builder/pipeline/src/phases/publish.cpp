#include "phases/publish.h"

#include "builder/target.h"
#include "parallel.h"

#include <map>

namespace builder {
namespace {

// A registry's own CPU is the bottleneck (docs/performance.md); more streams do not help it.
constexpr std::size_t most_streams = 4;

class Sender {
  public:
    Sender(const PublishInput& input, std::string config)
        : input_(input), config_(std::move(config)) {}

    SentBlobs send(const std::vector<image::Descriptor>& missing, const base::Stop& stop) {
        for_each_parallel(missing.size(), most_streams,
                          [&](std::size_t i) { send_one(missing[i], stop); });
        return *sent_.lock();
    }

  private:
    void send_one(const image::Descriptor& descriptor, const base::Stop& stop) {
        if (descriptor.media_type == image::media_type::config)
            return stream(
                descriptor, [&](const image::ByteSink& sink) { sink(config_); }, stop);
        const auto* registry = std::get_if<RegistryTarget>(&input_.target);
        if (registry && registry->registry == input_.base.reference.registry &&
            input_.store.mount_blob(descriptor, input_.base.reference.repository, stop))
            return;
        stream(
            descriptor,
            [&](const image::ByteSink& sink) {
                input_.base.store.read_blob(descriptor, sink, stop);
            },
            stop);
    }

    void stream(const image::Descriptor& descriptor, const image::ByteProducer& produce,
                const base::Stop& stop) {
        if (input_.store.stream_blob(produce, stop).was_there) return;
        auto sent = sent_.lock();
        ++sent->blobs;
        sent->bytes += descriptor.size;
    }

    const PublishInput& input_;
    const std::string config_;
    base::Guarded<SentBlobs> sent_;
};

} // namespace

PublishedImage publish(const PublishInput& input, const base::Stop& stop) {
    const auto& image = input.exported.image;
    const auto manifest = image.render_manifest();
    const auto digest = image::Digest::of(manifest);
    PublishedImage published{.reference = reference_of(input.target, digest)};
    if (std::holds_alternative<NoTarget>(input.target)) return published;

    const auto config = image.render_config();
    std::map<image::Digest, image::Descriptor> wanted;
    for (const auto& layer : image.layers())
        wanted.emplace(layer.descriptor.digest, layer.descriptor);
    const image::Descriptor described{std::string(image::media_type::config),
                                      image::Digest::of(config), config.size()};
    wanted.emplace(described.digest, described);

    published.blobs = wanted.size();
    published.sent = input.exported.sent.blobs;
    published.sent_bytes = input.exported.sent.bytes;
    // A store that has the manifest has what it names: an unchanged app asks this one question.
    const auto tag = tag_of(input.target);
    if (const auto tagged = input.store.read_manifest(tag, stop);
        tagged && tagged->digest == digest)
        return published;

    std::vector<image::Descriptor> unsure, missing;
    for (const auto& [blob, descriptor] : wanted)
        if (!input.exported.stored.contains(blob)) unsure.push_back(descriptor);
    for (const auto& absent : input.store.find_missing(unsure, stop))
        missing.push_back(wanted.at(absent));
    const auto sent = Sender(input, config).send(missing, stop);
    published.sent += sent.blobs;
    published.sent_bytes += sent.bytes;
    input.store.write_manifest({std::string(image::media_type::manifest), manifest, digest}, tag,
                               stop);
    return published;
}

} // namespace builder
