// An app's layers between its builds, kept as directories. They are moved into a build and moved
// back at its end: no copy. While a build runs the cache says that it is empty, so that a killed
// build costs a cold one and never leaves half a layer. One build of an app at a time owns it.
#pragma once

#include "lifecycle_metadata.h"

#include <filesystem>
#include <functional>
#include <string>

namespace builder {

class LayerCache {
  public:
    // An empty path: there is no cache; everything below does nothing. on_damage gets a sentence
    // when what was there cannot be used.
    LayerCache(std::filesystem::path directory,
               const std::function<void(const std::string&)>& on_damage);

    const BuildpackRecord* find(const std::string& id) const;
    // Moves a layer's directory to `target`; false when it is gone.
    bool take(const std::string& escaped_id, const std::string& layer,
              const std::filesystem::path& target);
    // Moves a layer's directory in, to be found again after commit().
    void put(const BuildpackRecord& buildpack, const std::string& escaped_id,
             const std::string& layer, const std::filesystem::path& source);
    void commit();

  private:
    void remove_forgotten() const;

    std::filesystem::path directory_;
    std::vector<BuildpackRecord> found_;
    std::vector<BuildpackRecord> kept_;
};

} // namespace builder
