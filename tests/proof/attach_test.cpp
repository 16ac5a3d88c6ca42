#include "proof/attach.h"
#include "proof/envelope.h"
#include "proof/verify.h"

#include "signed_image.h"

#include "base/crypto.h"

#include <catch2/catch.hpp>

namespace {

std::vector<std::string> types_of(const std::vector<image::Referrer>& referrers) {
    std::vector<std::string> types;
    for (const auto& each : referrers) types.push_back(each.artifact_type);
    std::sort(types.begin(), types.end());
    return types;
}

} // namespace

TEST_CASE("what is attached is found under cosign's tags and among the image's referrers") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    auto& store = *signed_image.store;
    const auto log = proof::put_blob(store, proof::media_type::log, "-----> Building\n", {});
    signed_image.attach(key, {{std::string(proof::artifact_type::log), log}});

    CHECK(types_of(store.list_referrers(signed_image.image, "", {})) ==
          std::vector<std::string>{std::string(proof::artifact_type::attestations),
                                   std::string(proof::artifact_type::signature),
                                   std::string(proof::artifact_type::log)});
    const auto hex = signed_image.image.hex();
    const auto signature = signed_image.artifact("sha256-" + hex + ".sig");
    REQUIRE(signature.blobs.size() == 1);
    CHECK(signature.subject->digest == signed_image.image);
    CHECK(signature.blobs[0].descriptor.media_type ==
          "application/vnd.dev.cosign.simplesigning.v1+json");
    CHECK(key.public_key().has_signed(signed_image.bytes_of(signature.blobs[0]),
                                      base::base64_decode(signature.blobs[0].annotations.at(
                                          "dev.cosignproject.cosign/signature"))));
    const auto attestations = signed_image.artifact("sha256-" + hex + ".att");
    REQUIRE(attestations.blobs.size() == 1);
    CHECK(attestations.blobs[0].descriptor.media_type == "application/vnd.dsse.envelope.v1+json");
    CHECK(attestations.blobs[0].annotations.at("predicateType") ==
          "https://slsa.dev/provenance/v1");
}

TEST_CASE("an image that is built again keeps one signature and the newest attestation") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto first = signed_image.artifact(proof::signature_tag(signed_image.image));
    signed_image.attach(key);
    signed_image.attach(key);
    const auto last = signed_image.artifact(proof::signature_tag(signed_image.image));
    REQUIRE(last.blobs.size() == 1);
    CHECK(last.blobs[0].annotations == first.blobs[0].annotations);
    CHECK(signed_image.artifact(proof::attestation_tag(signed_image.image)).blobs.size() == 1);
    CHECK(signed_image.store->list_referrers(signed_image.image, "", {}).size() == 2);
}

TEST_CASE("of the logs of an image that is built again the newest stays, and bills stay") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    auto& store = *signed_image.store;
    const auto document = [&](std::string_view type, std::string_view text) {
        return proof::Document{std::string(type),
                               proof::put_blob(store, proof::media_type::log, text, {})};
    };
    signed_image.attach(key, {document(proof::artifact_type::log, "first"),
                              document("application/vnd.cyclonedx+json", "{}")});
    const auto last = document(proof::artifact_type::log, "second");
    signed_image.attach(key, {last, document("application/vnd.cyclonedx+json", "[]")});
    const auto logs = store.list_referrers(signed_image.image, proof::artifact_type::log, {});
    REQUIRE(logs.size() == 1);
    const auto log = store.read_manifest(logs[0].descriptor.digest.render(), {});
    CHECK(image::parse_artifact(*log).blobs.at(0).descriptor.digest == last.blob.digest);
    CHECK(store.list_referrers(signed_image.image, "application/vnd.cyclonedx+json", {}).size() ==
          2);
}

TEST_CASE("signatures and attestations by others stay") {
    const auto key = base::KeyPair::make(), other = base::KeyPair::make();
    SignedImage signed_image(other);
    signed_image.attach(key);
    CHECK(signed_image.artifact(proof::signature_tag(signed_image.image)).blobs.size() == 2);
    const auto attestations = signed_image.artifact(proof::attestation_tag(signed_image.image));
    REQUIRE(attestations.blobs.size() == 2);
    for (const auto* one : {&key, &other}) {
        int valid = 0;
        for (const auto& blob : attestations.blobs)
            valid += proof::open(signed_image.bytes_of(blob), {one->public_key()}).seal ==
                     proof::Seal::valid;
        CHECK(valid == 1);
    }
}

TEST_CASE("an image that somebody put under the tag of our attestations stays, and is none") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    auto& store = *signed_image.store;
    const auto image = *store.read_manifest(signed_image.image.render(), {});
    store.write_manifest(image, proof::attestation_tag(signed_image.image), {});
    store.write_manifest(image, proof::signature_tag(signed_image.image), {});
    signed_image.attach(key);
    CHECK(store.read_manifest(signed_image.image.render(), {}));
    CHECK(signed_image.artifact(proof::attestation_tag(signed_image.image)).blobs.size() == 1);
    CHECK(signed_image.artifact(proof::signature_tag(signed_image.image)).blobs.size() == 1);
}

TEST_CASE("a signature of ours that is about another image signs nothing") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto tag = proof::signature_tag(signed_image.image);
    const std::string payload =
        proof::render_simple_signing("x", image::Digest::of("another image"));
    const auto blob =
        proof::put_blob(*signed_image.store, proof::media_type::simple_signing, payload, {});
    const image::Artifact foreign{
        std::string(proof::artifact_type::signature),
        {},
        {{blob,
          {{std::string(proof::signature_annotation), base::base64_encode(key.sign(payload))}}}}};
    signed_image.store->write_manifest(image::render_artifact(foreign), tag, {});
    signed_image.attach(key);
    CHECK_NOTHROW(proof::verify(*signed_image.store, signed_image.image, {key.public_key()}, {}));
}

TEST_CASE("what is no JSON is said about no image") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto manifest = signed_image.store->read_manifest(signed_image.image.render(), {});
    proof::Attachments what;
    what.name = "x";
    what.image = {manifest->media_type, signed_image.image, manifest->bytes.size()};
    what.predicates = {{"https://example.com/p", ""}};
    for (const char* json : {"", "{", R"({},"subject":[])", "{} {}"}) {
        what.predicates[0].json = json;
        CHECK(kind_of([&] { proof::attach(*signed_image.store, what, key, {}); }) ==
              base::ErrorKind::invalid_input);
    }
}
