#include "proof/verify.h"

#include "proof/envelope.h"
#include "proof/statement.h"
#include "signed_blobs.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace proof {
namespace {

using base::ErrorKind;

constexpr const char* other_key =
    "Give the public key of the server that built it: --key FILE. A server tells its own with: "
    "slipway key";
constexpr const char* do_not_trust = "Do not run it. Push the source again to have it built anew.";

class Verification {
  public:
    Verification(image::BlobStore& store, const image::Digest& image,
                 const std::vector<base::PublicKey>& keys, const base::Stop& stop)
        : store_(store), image_(image), keys_(keys), stop_(stop) {}

    Evidence run() {
        if (!store_.read_manifest(image_.render(), stop_))
            throw Distrust(Doubt::absent, "there is no image " + image_.render());
        Evidence evidence;
        read_signatures(evidence);
        read_attestations(evidence.predicates);
        const auto provenance = evidence.predicates.find(std::string(predicate_type::provenance));
        if (provenance == evidence.predicates.end())
            throw Distrust(foreign_ ? Doubt::unknown_key : Doubt::absent,
                           foreign_ ? "the attestations of " + image_.render() +
                                          " were signed by none of the given keys"
                                    : image_.render() + " is signed but has no provenance",
                           foreign_ ? other_key : "");
        evidence.provenance = parse_provenance(provenance->second);
        check_documents(evidence.provenance.byproducts);
        return evidence;
    }

  private:
    const base::PublicKey* who_signed(std::string_view bytes, std::string_view signature) const {
        for (const auto& key : keys_)
            if (key.has_signed(bytes, signature)) return &key;
        return nullptr;
    }

    void read_signatures(Evidence& evidence) const {
        const auto there =
            find_tagged(store_, image_, signature_tag(image_), artifact_type::signature, stop_);
        if (!there)
            throw Distrust(Doubt::absent, image_.render() + " has no signature",
                           "Images are signed by the server that builds them.");
        bool about_another = false;
        for (const auto& blob : there->artifact.blobs) {
            const auto signature = signature_of(blob);
            if (signature.empty()) continue;
            const auto payload = read_whole(store_, blob.descriptor, stop_);
            const auto* key = who_signed(payload, signature);
            if (!key) continue;
            auto is_about = parse_simple_signing(payload);
            if (is_about.image != image_) {
                about_another = true;
                continue;
            }
            if (evidence.key_id.empty()) evidence.key_id = key->id();
            auto& names = evidence.signed_for;
            if (!is_about.name.empty() &&
                std::find(names.begin(), names.end(), is_about.name) == names.end())
                names.push_back(std::move(is_about.name));
        }
        if (!evidence.key_id.empty()) return;
        if (about_another)
            throw Distrust(Doubt::other_image,
                           "the signature beside " + image_.render() + " is another image's",
                           do_not_trust);
        throw Distrust(Doubt::unknown_key,
                       image_.render() + " was signed by none of the given keys, or its signature "
                                         "was changed",
                       other_key);
    }

    void read_attestations(std::map<std::string, std::string>& predicates) {
        const auto there = find_tagged(store_, image_, attestation_tag(image_),
                                       artifact_type::attestations, stop_);
        if (!there) return;
        for (const auto& blob : there->artifact.blobs) {
            if (blob.descriptor.media_type != media_type::envelope) continue;
            const auto opened = open_if_it_is_one(read_whole(store_, blob.descriptor, stop_));
            if (opened.seal == Seal::changed)
                throw Distrust(Doubt::changed,
                               "an attestation of " + image_.render() +
                                   " was changed after it was signed",
                               do_not_trust);
            foreign_ = foreign_ || opened.seal == Seal::unknown;
            if (opened.seal != Seal::valid) continue;
            auto statement = about_it(opened.payload);
            predicates[statement.predicate_type] = std::move(statement.predicate);
        }
    }

    // What cannot be read was signed by nobody whom we know.
    Opened open_if_it_is_one(const std::string& envelope) const {
        try {
            return open(envelope, keys_);
        } catch (const base::Error& error) {
            if (error.kind() != ErrorKind::invalid_input) throw;
            return {.seal = Seal::unknown};
        }
    }

    Statement about_it(const std::string& payload) const {
        try {
            return parse_statement(payload, image_);
        } catch (const base::Error& error) {
            if (error.kind() != ErrorKind::denied) throw;
            throw Distrust(Doubt::other_image, error.message(), do_not_trust);
        }
    }

    void check_documents(const std::vector<Resource>& byproducts) const {
        for (const auto& resource : byproducts) {
            const auto digest = resource.digest.find("sha256");
            if (digest == resource.digest.end()) continue;
            if (resource.role == "log") check_document(artifact_type::log, digest->second);
            if (resource.role == "bill") check_document(resource.media_type, digest->second);
        }
    }

    void check_document(std::string_view type, const std::string& hex) const {
        const auto referrers = store_.list_referrers(image_, type, stop_);
        if (referrers.empty()) return;
        for (const auto& referrer : referrers) {
            const auto raw = store_.read_manifest(referrer.descriptor.digest.render(), stop_);
            if (!raw) continue;
            const auto document = image::parse_artifact(*raw);
            for (const auto& blob : document.blobs)
                if (blob.descriptor.digest.hex() == hex) return;
        }
        throw Distrust(Doubt::changed,
                       "what is attached to " + image_.render() + " as " + std::string(type) +
                           " is not what its provenance names",
                       do_not_trust);
    }

    image::BlobStore& store_;
    const image::Digest& image_;
    const std::vector<base::PublicKey>& keys_;
    const base::Stop& stop_;
    bool foreign_ = false; // some attestation is by a key that was not given
};

} // namespace

Distrust::Distrust(Doubt why, std::string message, std::string hint)
    : base::Error(why == Doubt::absent ? ErrorKind::not_found : ErrorKind::denied,
                  std::move(message), std::move(hint)),
      doubt(why) {}

Evidence verify(image::BlobStore& store, const image::Digest& image,
                const std::vector<base::PublicKey>& keys, const base::Stop& stop) {
    return Verification(store, image, keys, stop).run();
}

std::map<std::string, std::string>
read_predicates(image::BlobStore& store, const image::Digest& image, const base::Stop& stop) {
    std::map<std::string, std::string> predicates;
    const auto there =
        find_tagged(store, image, attestation_tag(image), artifact_type::attestations, stop);
    if (!there) return predicates;
    for (const auto& blob : there->artifact.blobs) {
        if (blob.descriptor.media_type != media_type::envelope) continue;
        const auto bytes = read_whole(store, blob.descriptor, stop);
        try {
            const auto envelope = base::json::parse(bytes, "the envelope");
            auto statement = parse_statement(
                base::base64_decode(base::json::get_string(envelope, "payload")), image);
            predicates[statement.predicate_type] = std::move(statement.predicate);
        } catch (const base::Error&) { // somebody else's, about something else
        }
    }
    return predicates;
}

} // namespace proof
