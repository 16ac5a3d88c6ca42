#include "phases/publish.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/guarded.h"
#include "base/task_group.h"
#include "image/oci_layout.h"

#include <algorithm>
#include <fcntl.h>
#include <map>

namespace builder {
namespace {

// A registry's own CPU is the bottleneck (docs/performance.md); more streams do not help it.
constexpr std::size_t most_streams = 4;

class Sender {
  public:
    Sender(const PublishInput& input, image::BlobStore& target) : input_(input), target_(target) {
        for (const auto& blob : input.exported.blobs) made_.emplace(blob.descriptor.digest, &blob);
    }

    struct Sent {
        std::size_t blobs = 0;
        std::uint64_t bytes = 0;
    };

    Sent send(const std::vector<image::Descriptor>& missing, const base::Stop& stop) {
        base::Guarded<std::size_t> next(0);
        base::TaskGroup streams;
        for (std::size_t i = 0; i < std::min(most_streams, missing.size()); ++i)
            streams.start([&](const base::Stop&) {
                for (;;) {
                    const std::size_t mine = (*next.lock())++;
                    if (mine >= missing.size()) return;
                    send_one(missing[mine], stop);
                }
            });
        streams.join();
        return *sent_.lock();
    }

  private:
    void send_one(const image::Descriptor& descriptor, const base::Stop& stop) {
        if (const auto made = made_.find(descriptor.digest); made != made_.end())
            return write(*made->second, stop);
        const auto* registry = std::get_if<RegistryTarget>(&input_.target);
        if (registry && registry->registry == input_.base.reference.registry &&
            target_.mount_blob(descriptor, input_.base.reference.repository, stop))
            return;
        copy_from_base(descriptor, stop);
    }

    void copy_from_base(const image::Descriptor& descriptor, const base::Stop& stop) {
        const image::BlobFile copy{descriptor, input_.blobs / ("base-" + descriptor.digest.hex())};
        {
            const auto file = base::open_file(copy.path, O_WRONLY | O_CREAT | O_TRUNC);
            input_.base.store.read_blob(
                descriptor, [&](std::string_view bytes) { base::write_all(file.get(), bytes); },
                stop);
        }
        write(copy, stop);
        std::filesystem::remove(copy.path);
    }

    void write(const image::BlobFile& blob, const base::Stop& stop) {
        target_.write_blob(blob, stop);
        auto sent = sent_.lock();
        ++sent->blobs;
        sent->bytes += blob.descriptor.size;
    }

    const PublishInput& input_;
    image::BlobStore& target_;
    std::map<image::Digest, const image::BlobFile*> made_;
    base::Guarded<Sent> sent_;
};

std::string reference_of(const Target& target, const std::string& digest) {
    if (const auto* registry = std::get_if<RegistryTarget>(&target))
        return registry->registry + "/" + registry->repository + "@" + digest;
    if (const auto* layout = std::get_if<LayoutTarget>(&target))
        return "oci:" + layout->directory.string() + ":" + layout->tag;
    return digest;
}

std::string tag_of(const Target& target) {
    const auto* registry = std::get_if<RegistryTarget>(&target);
    return registry ? registry->tag : std::get<LayoutTarget>(target).tag;
}

} // namespace

std::unique_ptr<image::BlobStore> open_target(const Target& target,
                                              const registry::Settings& settings) {
    if (const auto* registry = std::get_if<RegistryTarget>(&target))
        return registry::open_repository(registry->registry, registry->repository, settings);
    return image::open_oci_layout(std::get<LayoutTarget>(target).directory);
}

PublishedImage publish(const PublishInput& input, const base::Stop& stop) {
    const auto& image = input.exported.image;
    const auto manifest = image.render_manifest();
    const auto digest = image::Digest::of(manifest);
    PublishedImage published{.reference = reference_of(input.target, digest.render())};
    if (std::holds_alternative<NoTarget>(input.target)) return published;

    const auto target = open_target(input.target, input.settings);
    std::map<image::Digest, image::Descriptor> wanted;
    for (const auto& layer : image.layers())
        wanted.emplace(layer.descriptor.digest, layer.descriptor);
    const auto& config = input.exported.blobs.back().descriptor;
    wanted.emplace(config.digest, config);

    std::vector<image::Descriptor> all, missing;
    for (const auto& [ignored, descriptor] : wanted) all.push_back(descriptor);
    // A store that has the manifest has what it names: an unchanged app asks this one question.
    if (!target->read_manifest(digest.render(), stop))
        for (const auto& absent : target->find_missing(all, stop))
            missing.push_back(wanted.at(absent));
    const auto sent = Sender(input, *target).send(missing, stop);
    published.blobs = all.size();
    published.sent = sent.blobs;
    published.sent_bytes = sent.bytes;
    target->write_manifest({std::string(image::media_type::manifest), manifest, digest},
                           tag_of(input.target), stop);
    return published;
}

} // namespace builder
