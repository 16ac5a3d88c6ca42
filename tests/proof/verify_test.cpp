#include "proof/envelope.h"
#include "proof/verify.h"

#include "signed_image.h"

#include "base/crypto.h"
#include "base/json.h"
#include "image/index.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

base::Error refusal(SignedImage& of, const std::vector<base::PublicKey>& keys) {
    return error_of([&] { proof::verify(*of.store, of.image, keys, {}); });
}

// Of an image that was refused. On the test's own thread.
proof::Doubt doubt(SignedImage& of, const image::Digest& image, const base::KeyPair& key) {
    try {
        proof::verify(*of.store, image, {key.public_key()}, {});
    } catch (const proof::Distrust& distrust) {
        return distrust.doubt;
    }
    FAIL("the image was believed");
    throw std::logic_error("FAIL returned");
}

bool says(const base::Error& error, std::string_view words) {
    INFO(error.message());
    return error.message().find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a signed image is verified, and its provenance is what was said") {
    const auto key = base::KeyPair::make(), older = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto evidence = proof::verify(*signed_image.store, signed_image.image,
                                        {older.public_key(), key.public_key()}, {});
    CHECK(evidence.key_id == key.public_key().id());
    CHECK(evidence.signed_for == std::vector<std::string>{"registry.example/hello"});
    const auto said = SignedImage::provenance();
    CHECK(evidence.provenance.app == said.app);
    CHECK(evidence.provenance.source.uri == said.source.uri);
    CHECK(evidence.provenance.source.revision == said.source.revision);
    CHECK(evidence.provenance.environment == said.environment);
    CHECK(evidence.provenance.started == said.started);
    CHECK(evidence.provenance.finished == said.finished);
    CHECK(evidence.provenance.builder == said.builder);
    CHECK(evidence.provenance.build == said.build);
    REQUIRE(evidence.provenance.dependencies.size() == 2);
    CHECK(evidence.provenance.dependencies[0].digest == said.dependencies[0].digest);
    CHECK(evidence.provenance.dependencies[1].name == "test/script@1.0");
}

TEST_CASE("another key does not verify it") {
    SignedImage signed_image(base::KeyPair::make());
    const auto error = refusal(signed_image, {base::KeyPair::make().public_key()});
    CHECK(error.kind() == base::ErrorKind::denied);
    CHECK(says(error, "none of the given keys"));
    CHECK(doubt(signed_image, signed_image.image, base::KeyPair::make()) ==
          proof::Doubt::unknown_key);
}

TEST_CASE(
    "an image is verified wherever it was copied, and says for which repository it was signed") {
    const auto key = base::KeyPair::make(), other = base::KeyPair::make();
    SignedImage signed_image(key);
    signed_image.attach(other, {}, "registry.example/strangers");
    const auto signed_for = [&] {
        return proof::verify(*signed_image.store, signed_image.image, {key.public_key()}, {})
            .signed_for;
    };
    CHECK(signed_for() == std::vector<std::string>{"registry.example/hello"});
    // A build of the same image, where it had been copied.
    signed_image.attach(key, {}, "registry.example/copy");
    signed_image.attach(key, {}, "registry.example/copy");
    CHECK(signed_for() ==
          std::vector<std::string>{"registry.example/hello", "registry.example/copy"});
    CHECK(signed_image.artifact(proof::signature_tag(signed_image.image)).blobs.size() == 3);
}

TEST_CASE("what strangers put beside an image is not believed, and does not stand in the way") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto tag = proof::attestation_tag(signed_image.image);
    auto attestations = signed_image.artifact(tag);
    const auto add = [&](const std::string& bytes) {
        attestations.blobs.push_back(
            {proof::put_blob(*signed_image.store, proof::media_type::envelope, bytes, {})});
    };
    const auto about = [](const image::Digest& image) {
        return proof::seal(proof::render_statement({"theirs", image, "urn:theirs", "{}"}),
                           base::KeyPair::make());
    };
    add("no JSON");
    add("{}");
    add(R"({"payload":"?","payloadType":"x","signatures":[]})");
    add(about(image::Digest::of("another image")));
    add(about(signed_image.image));
    signed_image.put(tag, attestations);
    const auto said = proof::read_predicates(*signed_image.store, signed_image.image, {});
    CHECK(said.size() == 2); // ours, and theirs about this image
    CHECK(said.contains("urn:theirs"));
    CHECK(said.contains(std::string(proof::predicate_type::provenance)));
    const auto evidence =
        proof::verify(*signed_image.store, signed_image.image, {key.public_key()}, {});
    CHECK(evidence.predicates.size() == 1);
    // An index under our tag is nothing of what one looks for there.
    const auto whole = image::Index()
                           .with({{std::string(image::media_type::manifest), signed_image.image,
                                   signed_image.store->read_manifest("app", {})->bytes.size()},
                                  {"linux", "amd64"}})
                           .render();
    signed_image.store->write_manifest(whole, tag, {});
    CHECK(proof::read_predicates(*signed_image.store, signed_image.image, {}).empty());
    CHECK(doubt(signed_image, signed_image.image, key) == proof::Doubt::absent);
}

TEST_CASE("an image without a signature, and none at all, are told apart from a wrong one") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto plain = contract::push_small_image(*signed_image.store, "plain", "other").digest();
    const auto none =
        error_of([&] { proof::verify(*signed_image.store, plain, {key.public_key()}, {}); });
    CHECK(none.kind() == base::ErrorKind::not_found);
    CHECK(says(none, "no signature"));
    const auto absent = error_of([&] {
        proof::verify(*signed_image.store, image::Digest::of("absent"), {key.public_key()}, {});
    });
    CHECK(absent.kind() == base::ErrorKind::not_found);
    CHECK(says(absent, "no image"));
    CHECK(doubt(signed_image, plain, key) == proof::Doubt::absent);
}

TEST_CASE("a signature of another image is no signature of this one") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto other = contract::push_small_image(*signed_image.store, "other", "evil").digest();
    signed_image.put(proof::signature_tag(other),
                     signed_image.artifact(proof::signature_tag(signed_image.image)));
    const auto error =
        error_of([&] { proof::verify(*signed_image.store, other, {key.public_key()}, {}); });
    CHECK(error.kind() == base::ErrorKind::denied);
    CHECK(says(error, "another image's"));
    CHECK(doubt(signed_image, other, key) == proof::Doubt::other_image);
}

TEST_CASE("another image's attestations are refused beside a good signature") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    SignedImage other(key, "other content");
    auto attestations = other.artifact(proof::attestation_tag(other.image));
    for (const auto& blob : attestations.blobs)
        proof::put_blob(*signed_image.store, proof::media_type::envelope, other.bytes_of(blob), {});
    attestations.subject.reset();
    signed_image.put(proof::attestation_tag(signed_image.image), attestations);
    const auto error = refusal(signed_image, {key.public_key()});
    CHECK(error.kind() == base::ErrorKind::denied);
    CHECK(says(error, "about another image"));
    CHECK(doubt(signed_image, signed_image.image, key) == proof::Doubt::other_image);
}

TEST_CASE("an attestation that was changed is refused, whatever was changed in it") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto tag = proof::attestation_tag(signed_image.image);
    auto attestations = signed_image.artifact(tag);
    auto envelope = base::json::parse(signed_image.bytes_of(attestations.blobs[0]), "it");
    SECTION("its payload") {
        auto payload = base::base64_decode(envelope["payload"].get<std::string>());
        payload.replace(payload.find("hello"), 5, "other");
        envelope["payload"] = base::base64_encode(payload);
    }
    SECTION("its type") {
        envelope["payloadType"] = "application/json";
    }
    SECTION("its signature") {
        envelope["signatures"][0]["sig"] = base::base64_encode(key.sign("something else"));
    }
    attestations.blobs[0].descriptor = proof::put_blob(
        *signed_image.store, proof::media_type::envelope, base::json::render(envelope), {});
    signed_image.put(tag, attestations);
    const auto error = refusal(signed_image, {key.public_key()});
    CHECK(error.kind() == base::ErrorKind::denied);
    CHECK(says(error, "changed after it was signed"));
    CHECK(doubt(signed_image, signed_image.image, key) == proof::Doubt::changed);
}

TEST_CASE("a document that was put in the place of the one that was signed is refused") {
    const auto key = base::KeyPair::make();
    SignedImage signed_image(key);
    const auto type = std::string(proof::artifact_type::log);
    const auto document = [&](const std::string& text) {
        return proof::Document{
            type, proof::put_blob(*signed_image.store, proof::media_type::log, text, {})};
    };
    auto provenance = SignedImage::provenance();
    provenance.byproducts = {
        {.role = "log", .digest = {{"sha256", image::Digest::of("the log").hex()}}}};
    const auto attach = [&](std::vector<proof::Document> documents) {
        const auto manifest = signed_image.store->read_manifest(signed_image.image.render(), {});
        proof::attach(*signed_image.store,
                      {.name = "registry.example/hello",
                       .image = {manifest->media_type, signed_image.image, manifest->bytes.size()},
                       .predicates = {{std::string(proof::predicate_type::provenance),
                                       proof::render(provenance)}},
                       .documents = std::move(documents)},
                      key, {});
    };
    const auto verified = [&] {
        proof::verify(*signed_image.store, signed_image.image, {key.public_key()}, {});
        return true;
    };
    SECTION("alone") {
        attach({document("another log")});
        CHECK(doubt(signed_image, signed_image.image, key) == proof::Doubt::changed);
    }
    SECTION("somebody's beside it is nobody's concern") {
        attach({document("another log"), document("the log")});
        CHECK(verified());
    }
    SECTION("a copy without documents is fine") {
        attach({});
        CHECK(verified());
    }
}

TEST_CASE("a signature alone does not say who built the image") {
    const auto key = base::KeyPair::make(), other = base::KeyPair::make();
    SignedImage signed_image(key);
    SECTION("there is no attestation") {
        auto none = signed_image.artifact(proof::attestation_tag(signed_image.image));
        none.blobs.clear();
        signed_image.put(proof::attestation_tag(signed_image.image), none);
        const auto error = refusal(signed_image, {key.public_key()});
        CHECK(error.kind() == base::ErrorKind::not_found);
        CHECK(says(error, "no provenance"));
    }
    SECTION("somebody else attested it") {
        SignedImage theirs(other);
        auto attestations = theirs.artifact(proof::attestation_tag(theirs.image));
        for (const auto& blob : attestations.blobs)
            proof::put_blob(*signed_image.store, proof::media_type::envelope, theirs.bytes_of(blob),
                            {});
        signed_image.put(proof::attestation_tag(signed_image.image), attestations);
        const auto error = refusal(signed_image, {key.public_key()});
        CHECK(error.kind() == base::ErrorKind::denied);
        CHECK(says(error, "attestations"));
    }
}
