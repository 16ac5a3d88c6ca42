#include "builder/target.h"
#include "phases/publish.h"

#include "base/temp_dir.h"
#include "image/layer_writer.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>

using namespace builder;

namespace {

// An image of two layers: one of a base that lies elsewhere, and one that the target has.
struct Publication {
    base::TempDir directory{"publish"};
    LayoutTarget layout{directory.path() / "target", "latest"};
    std::unique_ptr<image::BlobStore> base = image::open_oci_layout(directory.path() / "base");
    std::unique_ptr<image::BlobStore> store = open_target(layout, {});
    image::Reference reference = image::Reference::parse("127.0.0.1/base:1");

    static image::Layer put(image::BlobStore& into, const std::string& content) {
        return image::store_layer(
                   into, {},
                   [&](image::LayerWriter& writer) { writer.add_file("file", 0644, {}, content); },
                   {})
            .layer;
    }
    Exported exported(const std::string& content) {
        const auto ours = put(*store, content);
        return {.image = image::Image("amd64").with_layers({put(*base, "of the base"), ours},
                                                           {{"base"}, {"ours"}}),
                .stored = {ours.descriptor.digest},
                .sent = {1, ours.descriptor.size}};
    }
    PublishedImage publish_to(const Target& target, const Exported& what) {
        const auto into = open_target(target, {});
        return publish({target, what, *into, {reference, *base}}, {});
    }
};

} // namespace

TEST_CASE("what the target lacks beside the layers is sent, and counted with them") {
    Publication publication;
    const auto exported = publication.exported("one");
    const auto published = publication.publish_to(publication.layout, exported);
    CHECK(published.blobs == 3);
    CHECK(published.sent == 3); // the layer of before, the base's, the configuration
    CHECK(published.sent_bytes == exported.image.total_size());
    const auto read = image::read_image(*publication.store, "latest", "amd64", "it", {});
    CHECK(read.digest() == exported.image.digest());
    CHECK(publication.store
              ->find_missing({read.layers()[0].descriptor, read.layers()[1].descriptor}, {})
              .empty());
}

TEST_CASE("an image that the tag names already is not written again") {
    Publication publication;
    auto exported = publication.exported("one");
    publication.publish_to(publication.layout, exported);
    exported.sent = {};
    // A new configuration would be missing, an old one is not asked for.
    std::filesystem::remove(publication.directory.path() / "target/blobs/sha256" /
                            image::Digest::of(exported.image.render_config()).hex());
    const auto again = publication.publish_to(publication.layout, exported);
    CHECK(again.sent == 0);
    CHECK(again.blobs == 3);
}

TEST_CASE("an image whose tag names another moves the tag and sends no layer twice") {
    Publication publication;
    publication.publish_to(publication.layout, publication.exported("one"));
    auto other = publication.exported("two");
    const auto published = publication.publish_to(publication.layout, other);
    CHECK(published.sent == 2); // the layer of before and the configuration
    CHECK(publication.store->read_manifest("latest", {})->digest == other.image.digest());
}

TEST_CASE("without a target the digest is told and nothing is kept") {
    Publication publication;
    const auto exported = publication.exported("one");
    const auto published = publication.publish_to(NoTarget{}, exported);
    CHECK(published.reference == exported.image.digest().render());
    const auto nowhere = open_target(NoTarget{}, {});
    const auto hashed =
        nowhere->stream_blob([](const image::ByteSink& sink) { sink("bytes"); }, {});
    CHECK(hashed.digest == image::Digest::of("bytes"));
    CHECK(hashed.size == 5);
    CHECK(nowhere->find_missing({{"", hashed.digest, 5}}, {}).empty());
}
