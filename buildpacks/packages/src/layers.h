// Buildpacks as layers, and the bytes of an image on their way to a store.
#pragma once

#include "labels.h"
#include "packages/write.h"

#include "image/layer_writer.h"

namespace packages {

inline constexpr image::Owner root_owner{0, 0};

class LayerList {
  public:
    explicit LayerList(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}

    // Where the next layer is to be written.
    std::filesystem::path next_path() const;
    void add(const image::WrittenLayer& layer, std::string created_by);
    // One layer each, in the order of the contents.
    DiffIds add_buildpacks(const Contents& contents);
    // The layers on top of `base`, with the blob of the configuration.
    WrittenImage finish(const image::Image& base, image::ContainerConfig config);

  private:
    std::filesystem::path scratch_;
    std::vector<image::Layer> layers_;
    std::vector<image::HistoryEntry> history_;
    std::vector<image::BlobFile> blobs_;
};

} // namespace packages
