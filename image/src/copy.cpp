#include "image/copy.h"

#include "image/index.h"
#include "image/referrers.h"
#include "manifest_json.h"

#include "base/error.h"
#include "base/guarded.h"
#include "base/json.h"
#include "base/task_group.h"
#include "base/text.h"

#include <algorithm>
#include <atomic>
#include <set>

namespace image {
namespace {

using base::Error;
using base::ErrorKind;

constexpr std::size_t parallel_transfers = 4;
constexpr int deepest = 8; // indexes in indexes, and artifacts about artifacts
constexpr const char* cosign_suffixes[] = {".sig", ".att", ".sbom"};

// Configuration and layers of an image as of an artifact, whose configuration may be anything.
std::vector<Descriptor> named_blobs(const RawManifest& manifest) {
    const auto value = base::json::parse(manifest.bytes, "the manifest");
    const auto config = value.find("config"), layers = value.find("layers");
    if (config == value.end() || layers == value.end() || !layers->is_array())
        throw Error(ErrorKind::invalid_input, "the manifest " + manifest.digest.render() +
                                                  " has no configuration or no layers");
    std::vector<Descriptor> blobs{parse_descriptor(*config)};
    for (const auto& layer : *layers) blobs.push_back(parse_descriptor(layer));
    return blobs;
}

struct Part {
    RawManifest manifest;
    std::vector<std::string> tags = {};
    bool beside = false;   // no index of the image names it
    bool referrer = false; // it names a subject here, or one of cosign's tags names it
};

class Copying {
  public:
    Copying(BlobStore& from, BlobStore& to, const CopyOptions& options, const base::Stop& stop)
        : from_(from), to_(to), options_(options), stop_(stop) {}

    CopyReport run(const RawManifest& image) {
        gather(image, 0);
        auto whole = std::move(parts_.back());
        parts_.pop_back();
        if (options_.referrers) gather_referrers(image.digest);
        move_blobs();
        const bool artifacts =
            std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.beside; });
        // What an index names before the index, be it an artifact, too: registries ask for that,
        // and not for its subject. What is beside the image behind it, a tag behind all that
        // belongs to what it names.
        for (const auto& part : parts_)
            if (!part.beside) write_part(part);
        if (artifacts || !options_.tag) write_by_digest(whole.manifest);
        for (const auto& part : parts_)
            if (part.beside) write_part(part);
        if (options_.tag) write_tagged(whole.manifest);
        report_.manifests = parts_.size() + 1;
        return report_;
    }

  private:
    void write_by_digest(const RawManifest& manifest) {
        if (!to_.read_manifest(manifest.digest.render(), stop_))
            to_.write_manifest(manifest, std::nullopt, stop_);
    }

    void write_tagged(const RawManifest& manifest) {
        const auto there = to_.read_manifest(*options_.tag, stop_);
        if (!there || there->digest != manifest.digest)
            to_.write_manifest(manifest, options_.tag, stop_);
    }

    void write_part(const Part& part) {
        if (!part.referrer) return write_by_digest(part.manifest);
        // Even when it is there: who asks for its subject's referrers shall be told of it.
        if (part.tags.empty()) to_.write_manifest(part.manifest, std::nullopt, stop_);
        for (const auto& tag : part.tags) to_.write_manifest(part.manifest, tag, stop_);
    }

    RawManifest demand(const Descriptor& wanted) {
        auto found = from_.read_manifest(wanted.digest.render(), stop_);
        if (!found)
            throw Error(ErrorKind::not_found,
                        "the manifest " + wanted.digest.render() +
                            ", which the image's index names, is not where the index is");
        found->media_type = wanted.media_type; // a manifest need not say its own
        return std::move(*found);
    }

    // What an index names stands in front of it.
    void gather(const RawManifest& manifest, int depth) {
        if (depth > deepest)
            throw Error(ErrorKind::limit_exceeded,
                        "the image's index has indexes in indexes, too deep to be copied");
        if (!seen_.insert(manifest.digest).second) return;
        if (is_index_type(manifest.media_type)) {
            const auto index = Index::parse(manifest);
            for (const auto& entry : index.entries()) {
                const auto& type = entry.manifest.media_type;
                if (is_index_type(type) || is_manifest_type(type))
                    gather(demand(entry.manifest), depth + 1);
                else
                    blobs_.push_back(entry.manifest);
            }
        } else if (is_manifest_type(manifest.media_type)) {
            for (auto& blob : named_blobs(manifest)) blobs_.push_back(std::move(blob));
        } else {
            throw Error(ErrorKind::invalid_input, "a manifest of the type " +
                                                      base::quoted(manifest.media_type) +
                                                      " cannot be copied");
        }
        parts_.push_back({manifest});
    }

    void gather_referrers(const Digest& image) {
        std::vector<Digest> subjects{image};
        for (const auto& part : parts_) subjects.push_back(part.manifest.digest);
        for (int depth = 0; !subjects.empty() && depth < deepest; ++depth) {
            std::vector<Digest> found;
            for (const auto& subject : subjects) {
                for (const auto& referrer : from_.list_referrers(subject, "", stop_))
                    add_artifact(from_.read_manifest(referrer.descriptor.digest.render(), stop_),
                                 {}, found);
                for (const auto* suffix : cosign_suffixes) {
                    const auto tag = referrers_tag(subject) + suffix;
                    add_artifact(from_.read_manifest(tag, stop_), tag, found);
                }
            }
            subjects = std::move(found);
        }
    }

    // A list may name what was removed since.
    void add_artifact(const std::optional<RawManifest>& artifact, const std::string& tag,
                      std::vector<Digest>& found) {
        if (!artifact) return;
        const auto& digest = artifact->digest;
        if (!seen_.contains(digest)) {
            gather(*artifact, 0);
            parts_.back().beside = true;
            found.push_back(digest);
        }
        const auto part = std::find_if(parts_.begin(), parts_.end(), [&](const Part& one) {
            return one.manifest.digest == digest;
        });
        if (part == parts_.end()) return; // the image itself
        part->referrer = true;
        if (!tag.empty()) part->tags.push_back(tag);
    }

    // Each blob once, however many of the manifests name it; the large ones first, so that no
    // thread is left alone with one at the end.
    std::vector<Descriptor> missing_blobs() {
        std::set<Digest> unique;
        std::erase_if(blobs_, [&](const auto& blob) { return !unique.insert(blob.digest).second; });
        const auto list = to_.find_missing(blobs_, stop_);
        const std::set<Digest> missing(list.begin(), list.end());
        report_.there = blobs_.size() - missing.size();
        std::erase_if(blobs_, [&](const auto& blob) { return !missing.contains(blob.digest); });
        std::stable_sort(blobs_.begin(), blobs_.end(),
                         [](const auto& a, const auto& b) { return a.size > b.size; });
        return std::move(blobs_);
    }

    void move_blobs() {
        const auto blobs = missing_blobs();
        std::atomic<std::size_t> next = 0;
        base::Guarded<CopyReport> moved;
        base::TaskGroup group;
        const auto move = [&](const base::Stop& ended) {
            for (std::size_t i; !ended.requested() && (i = next++) < blobs.size();) {
                const auto one = move_blob(blobs[i]);
                *moved.lock() += one;
            }
        };
        for (std::size_t i = 0; i < std::min(parallel_transfers, blobs.size()); ++i)
            group.start(move);
        group.join();
        report_ += *moved.lock();
    }

    CopyReport move_blob(const Descriptor& blob) {
        stop_.throw_if_over("copying an image");
        if (!options_.mount_from.empty() && to_.mount_blob(blob, options_.mount_from, stop_))
            return {.mounted = 1};
        const auto done = to_.stream_blob(
            [&](const ByteSink& sink) { from_.read_blob(blob, sink, stop_); }, stop_);
        if (done.digest != blob.digest || done.size != blob.size)
            throw Error(ErrorKind::invalid_input, "what was sent for the blob " +
                                                      blob.digest.render() +
                                                      " does not have this digest");
        if (done.was_there) return {.there = 1};
        return {.sent = 1, .bytes_sent = done.size};
    }

    BlobStore& from_;
    BlobStore& to_;
    const CopyOptions& options_;
    const base::Stop& stop_;
    std::vector<Part> parts_; // in the order in which they are written
    std::set<Digest> seen_;
    std::vector<Descriptor> blobs_;
    CopyReport report_;
};

} // namespace

CopyReport& CopyReport::operator+=(const CopyReport& other) {
    manifests += other.manifests;
    there += other.there;
    mounted += other.mounted;
    sent += other.sent;
    bytes_sent += other.bytes_sent;
    return *this;
}

CopyReport copy(BlobStore& from, const RawManifest& image, BlobStore& to,
                const CopyOptions& options, const base::Stop& stop) {
    return Copying(from, to, options, stop).run(image);
}

} // namespace image
