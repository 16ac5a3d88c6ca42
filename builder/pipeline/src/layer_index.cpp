#include "layer_index.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace builder {
namespace {

using base::json::Value;

// The form of the file; another one is another version's and nobody's fault.
constexpr std::string_view form = "slipway layers 1 ";

Value render_layer(const KnownLayer& known) {
    const auto& [layer, uncompressed] = known;
    return {{"media_type", layer.descriptor.media_type},
            {"digest", layer.descriptor.digest.render()},
            {"size", layer.descriptor.size},
            {"diff_id", layer.diff_id.render()},
            {"compressor", layer.compressor},
            {"uncompressed", uncompressed}};
}

KnownLayer parse_layer(const Value& value) {
    const auto number = [&](const char* name) {
        return static_cast<std::uint64_t>(base::json::get_integer(value, name));
    };
    return {{{base::json::get_string(value, "media_type"),
              image::Digest::parse(base::json::get_string(value, "digest")), number("size")},
             image::Digest::parse(base::json::get_string(value, "diff_id")),
             base::json::get_string(value, "compressor")},
            number("uncompressed")};
}

} // namespace

LayerIndex::LayerIndex(std::filesystem::path file, const Say& say) : file_(std::move(file)) {
    if (file_.empty() || !std::filesystem::exists(file_)) return;
    try {
        text_ = base::read_file(file_);
        if (text_.starts_with(form)) parse(std::string_view(text_).substr(form.size()));
    } catch (const base::Error&) {
        found_.clear();
        say("What is known of the last build's layers is damaged; they are made anew.");
    }
}

void LayerIndex::parse(std::string_view text) {
    const auto line = text.find('\n');
    const auto body = line == text.npos ? std::string_view{} : text.substr(line + 1);
    if (image::Digest::of(body).render() != text.substr(0, line))
        throw base::Error(base::ErrorKind::invalid_input, "the index of layers is damaged");
    for (const auto& entry : base::json::parse(body, "the index of layers"))
        found_.push_back({base::json::get_string(entry, "shape"),
                          base::json::get_string(entry, "identity"), parse_layer(entry)});
}

std::string LayerIndex::render() const {
    Value entries = Value::array();
    const auto add = [&](const Entry& entry) {
        if (entries.size() >= most_entries) return;
        auto value = render_layer(entry.known);
        value["shape"] = entry.shape;
        value["identity"] = entry.identity;
        entries.push_back(std::move(value));
    };
    for (const auto& entry : kept_) add(entry);
    for (const auto& old : found_) {
        const bool told = std::any_of(kept_.begin(), kept_.end(), [&](const Entry& entry) {
            return entry.shape == old.shape &&
                   entry.known.layer.descriptor.digest == old.known.layer.descriptor.digest;
        });
        if (!told) add(old);
    }
    const auto body = base::json::render(entries);
    return std::string(form) + image::Digest::of(body).render() + "\n" + body;
}

const KnownLayer* LayerIndex::find_unchanged(const LayerKey& key) const {
    const auto identity = key.identity.hex();
    for (const auto& entry : found_)
        if (entry.identity == identity) return &entry.known;
    return nullptr;
}

bool LayerIndex::has_shape(const LayerKey& key) const {
    const auto shape = key.shape.hex();
    return std::any_of(found_.begin(), found_.end(),
                       [&](const Entry& entry) { return entry.shape == shape; });
}

const KnownLayer* LayerIndex::find_content(const image::Digest& diff_id,
                                           const image::LayerFormat& format) const {
    const auto compressor = image::compressor_of(format.compression);
    for (const auto& entry : found_)
        if (entry.known.layer.diff_id == diff_id && entry.known.layer.compressor == compressor)
            return &entry.known;
    return nullptr;
}

void LayerIndex::keep(const std::optional<LayerKey>& key, KnownLayer layer) {
    kept_.push_back({key ? key->shape.hex() : "", key && key->settled ? key->identity.hex() : "",
                     std::move(layer)});
}

void LayerIndex::commit() const {
    if (file_.empty()) return;
    const auto text = render();
    if (text != text_) base::replace_file(file_, text); // it waits for the disk
}

} // namespace builder
