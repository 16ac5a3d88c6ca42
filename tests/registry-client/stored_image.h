// Images in Debian's docker-registry, made of tars that a test wrote.
#pragma once

#include "registry/repository.h"

#include "fake_server.h"
#include "registry_process.h"
#include "tar_builder.h"

#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "image/image.h"

#include <catch2/catch.hpp>
#include <set>
#include <sys/stat.h>

namespace stored_image {

enum class Packing { none, gzip, zstd };
enum class Family { oci, docker };
enum class DiffIds { right, wrong };

struct TarLayer {
    TarBuilder tar;
    Packing packing = Packing::gzip;
};

inline RegistryProcess& the_registry() {
    static RegistryProcess process;
    return process;
}

inline std::string some_bytes(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    for (auto& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<char>(seed >> 24);
    }
    return bytes;
}

inline unsigned mode_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode;
}

class Stored {
  public:
    explicit Stored(const std::vector<TarLayer>& layers, Family family = Family::oci,
                    DiffIds diff_ids = DiffIds::right) {
        static int count = 0;
        name_ = "base/image-" + std::to_string(++count);
        store_ = registry::open_repository(the_registry().host(), name_, {});
        std::vector<image::Layer> made;
        for (const auto& layer : layers) made.push_back(store(layer, diff_ids));
        image_ = image::Image("amd64").with_layers(
            made, std::vector<image::HistoryEntry>(made.size(), {"a test"}));
        write(image_.render_config());
        manifest_ = image_.render_manifest();
        if (family == Family::docker) become_docker();
        store_->write_manifest(
            {std::string(family == Family::docker ? image::media_type::docker_manifest
                                                  : image::media_type::manifest),
             manifest_, image::Digest::of(manifest_)},
            {}, {});
    }

    const image::Image& image() const { return image_; }
    image::Reference reference(const std::string& host) const {
        return image::Reference::parse(host + "/" + name_ + "@" +
                                       image::Digest::of(manifest_).render());
    }
    std::set<std::string> diff_ids() const {
        std::set<std::string> all;
        for (const auto& layer : image_.layers()) all.insert(layer.diff_id.hex());
        return all;
    }

  private:
    static std::string packed(const std::string& tar, Packing packing) {
        if (packing == Packing::none) return tar;
        auto result = base::run({.argv = {packing == Packing::gzip ? "gzip" : "zstd", "-c"},
                                 .environment = base::minimal_environment()},
                                {}, tar, 64u << 20);
        REQUIRE(result.status.ok());
        return std::move(result.output);
    }
    image::Digest write(const std::string& bytes) {
        const auto path = directory_.path() / "blob";
        base::write_file(path, bytes);
        const auto digest = image::Digest::of(bytes);
        store_->write_blob({{"", digest, bytes.size()}, path}, {});
        return digest;
    }
    image::Layer store(const TarLayer& layer, DiffIds diff_ids) {
        const auto tar = layer.tar.finish();
        const auto bytes = packed(tar, layer.packing);
        const auto type = layer.packing == Packing::none   ? image::media_type::layer_tar
                          : layer.packing == Packing::gzip ? image::media_type::layer_gzip
                                                           : image::media_type::layer_zstd;
        return {{std::string(type), write(bytes), bytes.size()},
                image::Digest::of(diff_ids == DiffIds::right ? tar : "something else")};
    }
    void become_docker() {
        const std::pair<std::string_view, std::string_view> types[] = {
            {image::media_type::manifest, image::media_type::docker_manifest},
            {image::media_type::config, image::media_type::docker_config},
            {image::media_type::layer_gzip, image::media_type::docker_layer_gzip},
            {image::media_type::layer_tar, "application/vnd.docker.image.rootfs.diff.tar"}};
        for (const auto& [oci, docker] : types) {
            const auto quoted = "\"" + std::string(oci) + "\"";
            for (std::size_t at; (at = manifest_.find(quoted)) != manifest_.npos;)
                manifest_.replace(at, quoted.size(), "\"" + std::string(docker) + "\"");
        }
    }

    base::TempDir directory_{"stored"};
    std::string name_, manifest_;
    std::unique_ptr<image::BlobStore> store_;
    image::Image image_{"amd64"};
};

} // namespace stored_image
