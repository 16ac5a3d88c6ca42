#include "layer_key.h"

#include <algorithm>
#include <map>
#include <sys/stat.h>

namespace builder {
namespace {

constexpr std::int64_t second = 1'000'000'000;

// Bytes of a key on their way into its hash, in large pieces.
class Text {
  public:
    explicit Text(base::Sha256& hash) : hash_(hash) {}
    ~Text() { flush(); }

    void add(std::string_view text) {
        text_ += text;
        text_ += '\0';
        if (text_.size() >= 64u << 10) flush();
    }
    template <class Number>
    void add_number(Number number) {
        add(std::to_string(number));
    }

  private:
    void flush() {
        hash_.update(text_);
        text_.clear();
    }

    base::Sha256& hash_;
    std::string text_;
};

// What the image looks like; a file with several names is told by the first.
void add_shape(Text& text, const TreeLayer& layer) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> first_names;
    const auto& listing = layer.listing;
    for (const auto place : layer.selection) {
        const auto& entry = listing.entry(place);
        text.add(listing.path(place));
        text.add_number(entry.mode & S_IFMT);
        text.add_number(image::mode_in_layer(entry.mode, image::Modes::as_they_are));
        if (S_ISLNK(entry.mode)) text.add(listing.target(place));
        if (!S_ISREG(entry.mode)) continue;
        text.add_number(entry.size);
        if (entry.has_other_names)
            text.add(listing.path(
                first_names.try_emplace({entry.device, entry.inode}, place).first->second));
    }
}

void add_identities(Text& text, const TreeLayer& layer) {
    for (const auto place : layer.selection) {
        const auto& entry = layer.listing.entry(place);
        if (!S_ISREG(entry.mode)) continue; // the rest stands in the shape as a whole
        text.add_number(entry.device);
        text.add_number(entry.inode);
        text.add_number(entry.modified);
        text.add_number(entry.changed);
    }
}

// Kernels stamp files with a clock that ticks every 1 to 10 ms; a time without a fraction is that
// of a file system that keeps seconds.
bool is_settled(const TreeLayer& layer) {
    return std::all_of(layer.selection.begin(), layer.selection.end(), [&](auto place) {
        const auto& entry = layer.listing.entry(place);
        const auto tick = entry.changed % second == 0 ? 2 * second : second / 50;
        return !S_ISREG(entry.mode) || entry.changed + tick < layer.listing.began();
    });
}

} // namespace

LayerKey key_of(const TreeLayer& layer, const image::LayerFormat& format) {
    LayerKey key;
    base::Sha256 shape, identity;
    {
        Text text(shape);
        text.add("layer key 1");
        text.add(image::compressor_of(format.compression));
        text.add_number(static_cast<int>(format.compression));
        text.add_number(static_cast<int>(format.order));
        text.add_number(static_cast<int>(format.names));
        text.add(layer.name);
        text.add_number(layer.owner.uid);
        text.add_number(layer.owner.gid);
        add_shape(text, layer);
    }
    key.shape = image::Digest(shape.finish());
    {
        Text text(identity);
        text.add(key.shape.hex());
        add_identities(text, layer);
    }
    key.identity = image::Digest(identity.finish());
    key.settled = is_settled(layer);
    return key;
}

} // namespace builder
