#include "layer_fingerprint.h"

#include "base/error.h"
#include "image/digest.h"
#include "image/tree_listing.h"

#include <sys/stat.h>

namespace builder {
namespace {

constexpr std::int64_t second = 1'000'000'000;

// A directory's time changes with the names in it, which stand here themselves.
std::string describe(const image::TreeListing& tree, std::size_t place) {
    const auto& entry = tree.entry(place);
    std::string text = tree.path(place) + '\0' + std::to_string(entry.mode);
    if (S_ISDIR(entry.mode)) return text + '\n';
    const auto target = S_ISLNK(entry.mode) ? tree.target(place) : std::string_view();
    text += ' ' + std::to_string(S_ISLNK(entry.mode) ? target.size() : entry.size) + ' ' +
            std::to_string(entry.modified / second) + '.' + std::to_string(entry.modified % second);
    if (S_ISLNK(entry.mode)) text.append(" ").append(target);
    return text + '\n';
}

} // namespace

LayerFingerprint fingerprint_of(const std::filesystem::path& layer) {
    try {
        const auto tree = image::TreeListing::read(layer, image::EntryOrder::depth_first);
        base::Sha256 hash;
        LayerFingerprint fingerprint;
        for (std::size_t place = 1; place < tree.size(); ++place) {
            hash.update(describe(tree, place));
            fingerprint.bytes += tree.entry(place).size;
        }
        fingerprint.hash = image::Digest(hash.finish()).render();
        return fingerprint;
    } catch (const base::Error&) {
        return {};
    }
}

} // namespace builder
