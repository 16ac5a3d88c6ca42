// An app's layers between its builds, kept as directories. They are moved into a build and moved
// back at its end: no copy. While a build runs the cache says that it is empty, so that a killed
// build costs a cold one and never leaves half a layer. One build of an app at a time owns it.
//
//   metadata.json              the layers' records, in the form of the lifecycle's label
//   layers/<buildpack>/<layer>
//   bills/{launch,cache}       bills of materials of the last image, and of cached layers
#pragma once

#include "layer_fingerprint.h"
#include "lifecycle_metadata.h"

#include <filesystem>
#include <functional>
#include <string>

namespace builder {

class LayerCache {
  public:
    using Say = std::function<void(const std::string& sentence)>;

    // An empty path: there is no cache; everything below does nothing. `say` gets a sentence when
    // what was there cannot be used, or has to leave. most_bytes: how much it may hold after a
    // build, 0 for any amount. With a limit, layers of buildpacks that the app has left stay until
    // the room is needed; without one they go at once.
    LayerCache(std::filesystem::path directory, Say say, std::uint64_t most_bytes = 0);

    const BuildpackRecord* find(const std::string& id) const;
    // Moves a layer's directory to `target`; false when it is gone or not what was put in, which
    // is told.
    bool take(const std::string& id, const std::string& layer, const std::filesystem::path& target);
    // Moves a layer's directory in, to be found again after commit().
    void put(const BuildpackRecord& buildpack, const std::string& layer,
             const std::filesystem::path& source);

    // Bills of materials: of the image whose layer of them has `diff_id`, and of cached layers.
    const std::filesystem::path& bills() const noexcept { return bills_; }
    const std::string& bills_diff_id() const noexcept { return bills_diff_id_; }
    // Takes the directories launch and cache of `source`.
    void put_bills(const std::filesystem::path& source, std::string diff_id);

    void commit();

  private:
    struct Facts {
        LayerFingerprint fingerprint;
        std::int64_t used = 0; // the number of the build that used it last
    };
    using Key = std::pair<std::string, std::string>; // buildpack id, layer

    void read_index();
    std::string render_index() const;
    BuildpackRecord& kept_record(const BuildpackRecord& buildpack);
    std::filesystem::path path_of(const std::string& id, const std::string& layer) const;
    void keep_forgotten();
    void remove_forgotten() const;
    void make_room();
    void drop(const Key& key);
    bool is_kept(const std::string& id, const std::string& layer) const;

    std::filesystem::path directory_, bills_;
    Say say_;
    std::uint64_t most_bytes_;
    std::int64_t build_ = 1; // counts up with each commit
    std::vector<BuildpackRecord> found_;
    std::vector<BuildpackRecord> kept_;
    std::map<Key, Facts> found_facts_, kept_facts_;
    std::string bills_diff_id_;
};

} // namespace builder
