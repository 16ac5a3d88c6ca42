// What every image::BlobStore does, whatever is behind it. Called with two stores on the same
// place, so that nothing may be remembered in the object alone.
#pragma once

#include "errors.h"

#include "image/blob_store.h"
#include "image/layer_writer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace contract {

inline image::BlobFile make_blob(const base::TempDir& directory, const std::string& bytes) {
    const auto digest = image::Digest::of(bytes);
    const auto path = directory.path() / digest.hex();
    base::write_file(path, bytes);
    return {{std::string(image::media_type::layer_gzip), digest, bytes.size()}, path};
}

inline image::Image push_small_image(image::BlobStore& store, const std::string& tag,
                                     const std::string& content = "hello") {
    const base::TempDir directory("contract");
    image::LayerWriter writer(directory.path() / "layer", image::Compression::gzip);
    writer.add_file("app/hello.txt", 0644, {}, content);
    const auto layer = writer.finish();
    const auto made = image::Image("amd64").with_layers({layer.layer}, {{"the application"}});
    const auto config = make_blob(directory, made.render_config());
    store.write_blob({layer.layer.descriptor, layer.path}, {});
    store.write_blob(config, {});
    const auto manifest = made.render_manifest();
    store.write_manifest({std::string(image::media_type::manifest), manifest, made.digest()}, tag,
                         {});
    return made;
}

inline void check_blob_store(image::BlobStore& writer, image::BlobStore& reader) {
    const base::TempDir directory("contract");
    const base::Stop stop;

    SECTION("a blob comes back as it was written, and is missing no more") {
        std::string bytes(3'000'000, 'a');
        for (std::size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>(i);
        const auto blob = make_blob(directory, bytes);
        const auto other = make_blob(directory, "something that nobody wrote");
        const auto empty = make_blob(directory, "");
        CHECK(reader.find_missing({blob.descriptor, other.descriptor}, stop) ==
              std::vector{blob.descriptor.digest, other.descriptor.digest});
        writer.write_blob(blob, stop);
        writer.write_blob(blob, stop);
        writer.write_blob(empty, stop);
        CHECK(reader.find_missing({blob.descriptor, other.descriptor, empty.descriptor}, stop) ==
              std::vector{other.descriptor.digest});
        std::string back;
        reader.read_blob(
            blob.descriptor, [&](std::string_view part) { back += part; }, stop);
        CHECK((back == bytes));
        back.clear();
        reader.read_blob(
            empty.descriptor, [&](std::string_view part) { back += part; }, stop);
        CHECK(back.empty());
    }
    SECTION("a blob whose bytes are not those of its digest is not taken") {
        auto blob = make_blob(directory, "the real bytes");
        base::write_file(blob.path, "some fake byte");
        kind_of([&] { writer.write_blob(blob, stop); });
        CHECK(reader.find_missing({blob.descriptor}, stop).size() == 1);
    }
    SECTION("a blob that is not there is an error that says so") {
        const auto blob = make_blob(directory, "never written");
        CHECK(kind_of([&] {
                  reader.read_blob(
                      blob.descriptor, [](auto) {}, stop);
              }) == base::ErrorKind::not_found);
    }
    SECTION("a blob with another size than its descriptor's is refused while reading") {
        auto blob = make_blob(directory, "of eighteen letters");
        writer.write_blob(blob, stop);
        blob.descriptor.size -= 3;
        kind_of([&] {
            reader.read_blob(
                blob.descriptor, [](auto) {}, stop);
        });
    }
    SECTION("an image is found by its tag and by its digest, byte for byte") {
        const auto made = push_small_image(writer, "v1");
        const auto by_tag = reader.read_manifest("v1", stop);
        const auto by_digest = reader.read_manifest(made.digest().render(), stop);
        REQUIRE(by_tag);
        REQUIRE(by_digest);
        CHECK(by_tag->bytes == made.render_manifest());
        CHECK(by_tag->digest == made.digest());
        CHECK(by_tag->media_type == image::media_type::manifest);
        CHECK(by_digest->bytes == by_tag->bytes);
        const auto read = image::read_image(reader, "v1", "amd64", "test:v1", stop);
        CHECK(read.digest() == made.digest());
        CHECK(read.layers().size() == 1);
    }
    SECTION("a tag moves, and what it named stays") {
        const auto first = push_small_image(writer, "latest", "one");
        const auto second = push_small_image(writer, "latest", "two");
        REQUIRE(first.digest() != second.digest());
        CHECK(reader.read_manifest("latest", stop)->digest == second.digest());
        CHECK(reader.read_manifest(first.digest().render(), stop));
    }
    SECTION("a manifest without a tag is found by its digest alone") {
        const auto tagged = push_small_image(writer, "some", "three");
        auto config = tagged.config();
        config.user = "1000";
        const auto made = tagged.with_config(config);
        writer.write_blob(make_blob(directory, made.render_config()), stop);
        writer.write_manifest(
            {std::string(image::media_type::manifest), made.render_manifest(), made.digest()},
            std::nullopt, stop);
        CHECK(reader.read_manifest(made.digest().render(), stop));
        CHECK(reader.read_manifest("some", stop)->digest == tagged.digest());
    }
    SECTION("a manifest that is not there is no error") {
        CHECK_FALSE(reader.read_manifest("nowhere", stop));
        CHECK_FALSE(reader.read_manifest(image::Digest::of("nowhere").render(), stop));
        CHECK(kind_of([&] {
                  image::read_image(reader, "nowhere", "amd64", "test:nowhere", stop);
              }) == base::ErrorKind::not_found);
    }
    SECTION("an image for another machine is not taken for ours") {
        push_small_image(writer, "v1");
        kind_of([&] { image::read_image(reader, "v1", "arm64", "test:v1", stop); });
    }
}

} // namespace contract
