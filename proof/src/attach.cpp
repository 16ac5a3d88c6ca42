#include "proof/attach.h"

#include "proof/envelope.h"
#include "proof/statement.h"
#include "signed_blobs.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <set>

namespace proof {
namespace {

using image::Artifact;
using image::ArtifactBlob;

class Attaching {
  public:
    Attaching(image::BlobStore& store, const Attachments& what, const base::KeyPair& key,
              const base::Stop& stop)
        : store_(store), what_(what), key_(key), stop_(stop) {}

    void run() {
        put_blob(store_, image::media_type::empty, "{}", stop_);
        for (const auto& document : what_.documents)
            store_.write_manifest(render(document), std::nullopt, stop_);
        attest();
        sign();
        remove_older_logs();
    }

  private:
    image::RawManifest render(const Document& document) const {
        return image::render_artifact({document.artifact_type, what_.image, {{document.blob}}});
    }

    // Somebody else's attestations, and what ours of other predicates say, are kept.
    bool is_replaced(const ArtifactBlob& blob) const {
        const auto type = blob.annotations.find(predicate_annotation);
        if (type == blob.annotations.end() ||
            std::none_of(what_.predicates.begin(), what_.predicates.end(),
                         [&](const Predicate& each) { return each.type == type->second; }))
            return false;
        try {
            return open(read_whole(store_, blob.descriptor, stop_), {key_.public_key()}).seal ==
                   Seal::valid;
        } catch (const base::Error& error) {
            if (error.kind() != base::ErrorKind::invalid_input) throw;
            return false; // no envelope: not ours
        }
    }

    void attest() {
        const auto& digest = what_.image.digest;
        const auto there = find(attestation_tag(digest), artifact_type::attestations);
        Artifact artifact{std::string(artifact_type::attestations), what_.image, {}};
        if (there)
            for (const auto& blob : there->artifact.blobs)
                if (blob.descriptor.media_type == media_type::envelope && !is_replaced(blob))
                    artifact.blobs.push_back(blob);
        for (const auto& predicate : what_.predicates) {
            const auto statement =
                render_statement({what_.name, digest, predicate.type, predicate.json});
            artifact.blobs.push_back(
                {put_blob(store_, media_type::envelope, seal(statement, key_), stop_),
                 {{signature_annotation, ""}, {predicate_annotation, predicate.type}}});
        }
        replace(there, artifact, attestation_tag(digest));
    }

    bool is_signed(const Tagged& there) const {
        for (const auto& blob : there.artifact.blobs)
            if (const auto signature = signature_of(blob); !signature.empty())
                if (const auto payload = read_whole(store_, blob.descriptor, stop_);
                    key_.public_key().has_signed(payload, signature) && names_it(payload))
                    return true;
        return false;
    }

    // What we signed may be about another image, put here by whoever may push, or about this one in
    // the repository that it was copied from.
    bool names_it(const std::string& payload) const {
        try {
            const auto is_about = parse_simple_signing(payload);
            return is_about.image == what_.image.digest && is_about.name == what_.name;
        } catch (const base::Error&) {
            return false;
        }
    }

    void sign() {
        const auto& digest = what_.image.digest;
        const auto there = find(signature_tag(digest), artifact_type::signature);
        if (there && is_signed(*there)) return;
        Artifact artifact{std::string(artifact_type::signature), what_.image, {}};
        if (there)
            for (const auto& blob : there->artifact.blobs)
                if (blob.descriptor.media_type == media_type::simple_signing)
                    artifact.blobs.push_back(blob);
        const auto payload = render_simple_signing(what_.name, digest);
        artifact.blobs.push_back(
            {put_blob(store_, media_type::simple_signing, payload, stop_),
             {{signature_annotation, base::base64_encode(key_.sign(payload))}}});
        replace(there, artifact, signature_tag(digest));
    }

    std::optional<Tagged> find(const std::string& tag, std::string_view type) const {
        return find_tagged(store_, what_.image.digest, tag, type, stop_);
    }

    // Under our tag may stand whatever somebody pushed there, an image that runs for one.
    bool is_ours(const Tagged& before, const Artifact& after) const {
        return before.artifact.type == after.type && before.artifact.subject &&
               before.artifact.subject->digest == what_.image.digest;
    }

    // The one before would stay a referrer for ever; where a store deletes nothing, it does.
    void replace(const std::optional<Tagged>& before, const Artifact& artifact,
                 const std::string& tag) {
        const auto manifest = image::render_artifact(artifact);
        store_.write_manifest(manifest, tag, stop_);
        if (!before || before->raw.digest == manifest.digest || !is_ours(*before, artifact)) return;
        remove(before->raw.digest);
    }

    // Its type is ours alone, while bills are attached by others, too.
    void remove_older_logs() {
        std::set<image::Digest> newest;
        for (const auto& document : what_.documents)
            if (document.artifact_type == artifact_type::log)
                newest.insert(render(document).digest);
        if (newest.empty()) return;
        for (const auto& each :
             store_.list_referrers(what_.image.digest, artifact_type::log, stop_)) {
            const auto& log = each.descriptor.digest;
            if (!newest.contains(log) && is_log(log) && !remove(log)) return;
        }
    }

    // The list may be one that somebody pushed, and name what is no log.
    bool is_log(const image::Digest& digest) const {
        const auto raw = store_.read_manifest(digest.render(), stop_);
        if (!raw) return false;
        try {
            const auto artifact = image::parse_artifact(*raw);
            return artifact.type == artifact_type::log && artifact.subject &&
                   artifact.subject->digest == what_.image.digest;
        } catch (const base::Error& error) {
            if (error.kind() != base::ErrorKind::invalid_input) throw;
            return false;
        }
    }

    // False: it stays, as all of them do where we may delete nothing.
    bool remove(const image::Digest& manifest) {
        try {
            store_.remove_manifest(manifest, stop_);
            return true;
        } catch (const base::Error& error) {
            const bool denied = error.kind() == base::ErrorKind::denied ||
                                error.kind() == base::ErrorKind::unauthenticated;
            base::log::write(denied ? base::log::Level::debug : base::log::Level::warning,
                             "an older attestation stays",
                             {{"manifest", manifest.render()}, {"reason", error.describe()}});
            return false;
        }
    }

    image::BlobStore& store_;
    const Attachments& what_;
    const base::KeyPair& key_;
    const base::Stop& stop_;
};

std::string tag_of(const image::Digest& image, std::string_view suffix) {
    return image::referrers_tag(image) + std::string(suffix);
}

} // namespace

std::string signature_tag(const image::Digest& image) {
    return tag_of(image, ".sig");
}

std::string attestation_tag(const image::Digest& image) {
    return tag_of(image, ".att");
}

image::Descriptor put_blob(image::BlobStore& store, std::string_view type, std::string_view bytes,
                           const base::Stop& stop) {
    const auto sent = store.stream_blob([&](const image::ByteSink& sink) { sink(bytes); }, stop);
    return {std::string(type), sent.digest, sent.size};
}

void attach(image::BlobStore& store, const Attachments& attachments, const base::KeyPair& key,
            const base::Stop& stop) {
    Attaching(store, attachments, key, stop).run();
}

} // namespace proof
