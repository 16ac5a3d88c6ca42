// What an app's layers were made from, kept between its builds, so that an unchanged layer is
// neither read nor compressed nor sent again. One file beside the app's cache; at most
// most_entries layers, those used last. It is right or it is not there: a hash over it is checked,
// and a damaged one is ignored. Used by one thread; the questions may come from several.
#pragma once

#include "layer_key.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

namespace builder {

struct KnownLayer {
    image::Layer layer;
    std::uint64_t uncompressed = 0;
};

class LayerIndex {
  public:
    static constexpr std::size_t most_entries = 256;
    using Say = std::function<void(const std::string& sentence)>;

    // An empty path: nothing is known and nothing is kept. `say` gets a sentence when what is
    // there cannot be used.
    LayerIndex(std::filesystem::path file, const Say& say);

    // The layer of a tree of which no file was touched since.
    const KnownLayer* find_unchanged(const LayerKey& key) const;
    // Whether reading and hashing a tree of this shape may find a layer that is known.
    bool has_shape(const LayerKey& key) const;
    // The layer whose tar has this hash and that was compressed alike.
    const KnownLayer* find_content(const image::Digest& diff_id,
                                   const image::LayerFormat& format) const;

    // A layer of this build. key: of a tree, when there is one.
    void keep(const std::optional<LayerKey>& key, KnownLayer layer);
    // Writes what was kept, then what was known before, as far as there is room; nothing when that
    // is what stands there.
    void commit() const;

  private:
    struct Entry {
        std::string shape, identity; // empty: none that could be believed
        KnownLayer known;
    };

    void parse(std::string_view text);
    std::string render() const;

    std::filesystem::path file_;
    std::string text_; // of the file
    std::vector<Entry> found_, kept_;
};

} // namespace builder
