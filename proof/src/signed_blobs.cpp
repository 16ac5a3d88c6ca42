#include "signed_blobs.h"

#include "base/crypto.h"
#include "base/error.h"

namespace proof {
namespace {

constexpr std::uint64_t largest_signed = 64u << 20;

} // namespace

std::optional<Tagged> find_tagged(image::BlobStore& store, const image::Digest& image,
                                  const std::string& tag, std::string_view type,
                                  const base::Stop& stop) {
    auto raw = store.read_manifest(tag, stop);
    // A store that was copied without its tags still has the referrers.
    if (!raw)
        for (const auto& referrer : store.list_referrers(image, type, stop))
            if ((raw = store.read_manifest(referrer.descriptor.digest.render(), stop))) break;
    if (!raw) return std::nullopt;
    try {
        auto artifact = image::parse_artifact(*raw);
        return Tagged{std::move(*raw), std::move(artifact)};
    } catch (const base::Error& error) {
        if (error.kind() != base::ErrorKind::invalid_input) throw;
        return std::nullopt; // an index, say: nothing of what one looks for here
    }
}

std::string read_whole(image::BlobStore& store, const image::Descriptor& blob,
                       const base::Stop& stop) {
    if (blob.size > largest_signed)
        throw base::Error(base::ErrorKind::limit_exceeded,
                          "what is attached to the image is larger than 64 MiB");
    std::string bytes;
    store.read_blob(
        blob, [&](std::string_view more) { bytes += more; }, stop);
    return bytes;
}

std::string signature_of(const image::ArtifactBlob& blob) {
    const auto found = blob.annotations.find(signature_annotation);
    if (found == blob.annotations.end()) return {};
    try {
        return base::base64_decode(found->second);
    } catch (const base::Error&) {
        return {};
    }
}

} // namespace proof
