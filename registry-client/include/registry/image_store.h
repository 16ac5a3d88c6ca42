// Images pulled, verified and unpacked once, then shared by every build through overlayfs:
//   <directory>/layers/<diff id>        a layer's tree, complete as soon as it has this name
//   <directory>/layers/on-<chain id>    one that does not stand alone (image/unpack.h)
//   <directory>/images/<digest>.json    manifest and configuration, so that a build asks no
//   registry
//   <directory>/incoming/, locks/       layers that are being unpacked
// A layer goes from the registry straight into its tree; as many at a time as there are cores.
// Several workers use one directory at a time; a layer is unpacked under a lock of its own, and
// what a killed worker left is removed by the next that unpacks anything. Thread-safe.
#pragma once

#include "base/stop.h"
#include "image/blob_store.h"
#include "image/reference.h"
#include "image/unpack.h"
#include "registry/repository.h"

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace registry {

struct PinnedImage {
    image::Reference reference;
    image::Image image;
};

class ImageStore {
  public:
    ImageStore(std::filesystem::path directory, Settings settings);

    // `reference` has a digest. Throws Error{not_found | unavailable} with the reference's name.
    PinnedImage read(const image::Reference& reference, const base::Stop& stop) const;
    // The unpacked layers, topmost first, as overlayfs wants them; pulls what is missing. They are
    // in use (base/in_use.h) until this process ends.
    // limits: of each layer.
    std::vector<std::filesystem::path> unpack(const PinnedImage& image, const base::Stop& stop,
                                              const image::UnpackLimits& limits = {}) const;

  private:
    struct Wanted;
    std::vector<std::filesystem::path> unpack_missing(const PinnedImage& image,
                                                      const base::Stop& stop,
                                                      const image::UnpackLimits& limits) const;
    // In use from now on; empty: it is not there.
    std::filesystem::path find(const Wanted& wanted) const;
    std::filesystem::path unpack_layer(image::BlobStore& store, const Wanted& wanted,
                                       const std::optional<image::LayersBelow>& below,
                                       const base::Stop& stop, const base::Stop& others) const;
    std::filesystem::path fill(image::BlobStore& store, const Wanted& wanted,
                               const std::filesystem::path& tree,
                               const std::optional<image::LayersBelow>& below,
                               const base::Stop& stop, const base::Stop& others) const;
    void sweep() const;

    std::filesystem::path directory_;
    Settings settings_;
};

// All names that the image's layers may have in `layers/`.
std::set<std::string> layer_names(const image::Image& image);

// A regular file of an image whose layers are unpacked (topmost first), links inside the image
// followed as the image means them; empty when it is not there.
std::string read_image_file(const std::vector<std::filesystem::path>& layers,
                            const std::string& path);

// The regular files of a directory of such an image, by name, as overlayfs shows it, links not
// followed. Throws Error{limit_exceeded} for a file above 1 MiB.
std::map<std::string, std::string>
read_image_directory(const std::vector<std::filesystem::path>& layers, const std::string& path);

} // namespace registry
