// An image as values: descriptors, layers, configuration, manifest. No network, no files.
// OCI image-spec v1.1. The canonical bytes (fixed key order, no white space) decide the digest.
#pragma once

#include "image/digest.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace image {

namespace media_type {
inline constexpr std::string_view manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view layer_tar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view docker_manifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_manifest_list =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view docker_layer_gzip =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
} // namespace media_type

struct Descriptor {
    std::string media_type;
    Digest digest; // of the bytes as stored (compressed)
    std::uint64_t size = 0;
};

// How the bytes of a layer that we make are stored.
enum class Compression { gzip, zstd, none };
std::string_view to_string(Compression compression) noexcept; // "gzip", "zstd", "none"
std::optional<Compression> parse_compression(std::string_view name) noexcept;

struct Layer {
    Descriptor descriptor;
    Digest diff_id; // of the uncompressed tar
    // Library, version and level that made the stored bytes out of the tar, so that they can be
    // made again; empty: unknown, or none. In manifests the descriptor's annotation
    // dev.slipway.compressor.
    std::string compressor = {};
};

struct HistoryEntry {
    std::string created_by;
    bool empty_layer = false;
};

// The part of the configuration that people read. Everything of a base image that is not named
// here (ports, volumes, health checks, ...) is carried along unchanged by Image::on_top_of.
struct ContainerConfig {
    std::string user;
    std::vector<std::string> environment; // "K=V", in order
    std::vector<std::string> entrypoint;
    std::vector<std::string> command;
    std::string working_directory;
    std::map<std::string, std::string> labels;
};

// This machine's, as images name it: "amd64", "arm64".
std::string this_architecture();

// What a registry holds for one platform: parsed, validated, immutable.
class Image {
  public:
    // An empty image for linux/<architecture>.
    explicit Image(std::string architecture);
    // From a manifest of either media family and its configuration; checks counts, digest of the
    // configuration, media types. Throws Error{invalid_input}.
    static Image parse(std::string_view manifest, std::string_view config);

    const std::vector<Layer>& layers() const noexcept { return layers_; }
    const ContainerConfig& config() const noexcept { return config_; }
    const std::string& architecture() const noexcept { return architecture_; }
    const std::string& variant() const noexcept { return variant_; } // "v8"; empty: it names none

    // A new image with these layers on top. Descriptors of Docker's media types become OCI's (the
    // bytes stay). history has one entry a layer.
    Image with_layers(std::vector<Layer> layers, std::vector<HistoryEntry> history) const;
    Image with_config(ContainerConfig config) const;
    Image with_created(std::string rfc3339) const;

    // Canonical bytes; always the OCI media types. Made when they are first asked for, by any
    // thread; they live as long as this image or a copy of it.
    const std::string& render_config() const;
    const std::string& render_manifest() const;
    Digest digest() const;            // of render_manifest()
    std::uint64_t total_size() const; // compressed layers + config

  private:
    struct Rendered;

    Image copy_to_change() const;
    std::string make_config() const;
    std::string make_manifest() const;

    std::string architecture_, variant_;
    std::vector<Layer> layers_;
    ContainerConfig config_;
    std::string raw_config_; // JSON of the base, for what we do not model
    std::vector<HistoryEntry> added_history_;
    std::string created_ = "1980-01-01T00:00:01Z";
    std::shared_ptr<Rendered> rendered_; // shared by copies, which are equal
};

// A manifest or an index as it lies in a store: exact bytes with their media type.
struct RawManifest {
    std::string media_type;
    std::string bytes;
    Digest digest; // of bytes
};

// The configuration and the layers that an image's manifest names, in this order. Throws
// Error{invalid_input}.
std::vector<Descriptor> blobs_of(const RawManifest& manifest);

// The digest of the manifest for linux/<architecture> in an index of either family; empty when
// the bytes are not an index. Throws Error{not_found} when the index lacks it.
std::optional<Digest> choose_from_index(const RawManifest& raw, std::string_view architecture);

} // namespace image
