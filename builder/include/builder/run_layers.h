// The layers of a run image on their way into many repositories of one registry, or into a layout.
// Mounted from where the registry has them; where it has them nowhere they are sent once, to the
// first repository, and mounted from there. Any thread; many at a time.
#pragma once

#include "builder/rebase.h"

#include "base/guarded.h"
#include "base/stop.h"
#include "image/blob_store.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace builder {

class RunLayers {
  public:
    // source: the repository that has them; registry: of the repositories that they go to, empty
    // for a layout.
    RunLayers(const RunImage& run, std::shared_ptr<image::BlobStore> source,
              const std::string& registry);

    struct Moved {
        std::size_t mounted = 0;
        std::size_t sent = 0;
    };
    // Once this returns `target`, which is called `repository`, has them. there: an image that it
    // has. Asks once for each layer. Throws what the stores throw.
    Moved put(image::BlobStore& target, const std::string& repository, const image::Image& there,
              const base::Stop& stop);

  private:
    bool put_one(image::BlobStore& target, const std::string& repository,
                 const image::Descriptor& blob, const base::Stop& stop);
    void send(image::BlobStore& target, const image::Descriptor& blob, const base::Stop& stop);
    std::optional<std::string> place_of(const image::Digest& digest);

    const std::vector<image::Layer> layers_;
    const std::shared_ptr<image::BlobStore> source_;
    const bool mounts_;
    base::Guarded<std::map<image::Digest, std::string>> places_; // repositories that have them
    std::mutex first_; // held while the registry gets a layer that it has nowhere
};

// The configuration, then the manifest under the tag, into `target`, which is called `repository`:
// its digest. The layers are there.
image::Digest write_image(image::BlobStore& target, const std::string& repository,
                          const image::Image& image, const std::string& tag,
                          const base::Stop& stop);

} // namespace builder
