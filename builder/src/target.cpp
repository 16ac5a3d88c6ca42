#include "builder/target.h"

#include "image/oci_layout.h"

namespace builder {
namespace {

class Nowhere : public image::BlobStore {
  public:
    std::vector<image::Digest> find_missing(const std::vector<image::Descriptor>&,
                                            const base::Stop&) override {
        return {};
    }
    void read_blob(const image::Descriptor& blob, const image::ByteSink&,
                   const base::Stop&) override {
        throw base::Error(base::ErrorKind::not_found,
                          "the blob " + blob.digest.render() + " was not kept");
    }
    void write_blob(const image::BlobFile&, const base::Stop&) override {}
    image::StreamedBlob stream_blob(const image::ByteProducer& produce,
                                    const base::Stop& stop) override {
        base::Sha256 hash;
        image::StreamedBlob blob;
        produce([&](std::string_view bytes) {
            stop.throw_if_over("hashing a blob");
            hash.update(bytes);
            blob.size += bytes.size();
        });
        blob.digest = image::Digest(hash.finish());
        return blob;
    }
    bool mount_blob(const image::Descriptor&, std::string_view, const base::Stop&) override {
        return true;
    }
    std::optional<image::RawManifest> read_manifest(std::string_view, const base::Stop&) override {
        return std::nullopt;
    }
    void write_manifest(const image::RawManifest&, std::optional<std::string>,
                        const base::Stop&) override {}
    bool remove_manifest(const image::Digest&, const base::Stop&) override { return false; }
    std::vector<std::string> list_tags(const base::Stop&) override { return {}; }
    std::vector<image::Referrer> list_referrers(const image::Digest&, std::string_view,
                                                const base::Stop&) override {
        return {};
    }
};

} // namespace

registry::Settings settings_of(const Job& job) {
    registry::Settings settings{.insecure = job.insecure_registries,
                                .ca_file = job.ca_file.string()};
    for (const auto& [host, access] : job.registry_credentials)
        settings.credentials[host] = {access.user, access.password, access.certificate, access.key,
                                      access.of_this_build};
    return settings;
}

std::unique_ptr<image::BlobStore> open_target(const Target& target,
                                              const registry::Settings& settings) try {
    if (const auto* registry = std::get_if<RegistryTarget>(&target))
        return registry::open_repository(registry->registry, registry->repository, settings);
    if (const auto* layout = std::get_if<LayoutTarget>(&target))
        return image::open_oci_layout(layout->directory);
    return std::make_unique<Nowhere>();
} catch (const base::Error& error) {
    throw TargetError(error);
}

std::string reference_of(const Target& target, const image::Digest& digest) {
    if (const auto* registry = std::get_if<RegistryTarget>(&target))
        return (registry->shown_as.empty() ? registry->registry : registry->shown_as) + "/" +
               registry->repository + "@" + digest.render();
    if (const auto* layout = std::get_if<LayoutTarget>(&target))
        return "oci:" + layout->directory.string() + ":" + layout->tag;
    return digest.render();
}

std::string tag_of(const Target& target) {
    if (const auto* registry = std::get_if<RegistryTarget>(&target)) return registry->tag;
    if (const auto* layout = std::get_if<LayoutTarget>(&target)) return layout->tag;
    return {};
}

} // namespace builder
