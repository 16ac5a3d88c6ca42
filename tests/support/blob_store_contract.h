// What every image::BlobStore does, whatever is behind it. Called with two stores on the same
// place, so that nothing may be remembered in the object alone.
#pragma once

#include "errors.h"

#include "image/blob_store.h"
#include "image/layer_writer.h"
#include "image/referrers.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <algorithm>
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
    const auto layer =
        image::write_layer_file(directory.path() / "layer", {}, [&](image::LayerWriter& writer) {
            writer.add_file("app/hello.txt", 0644, {}, content);
        });
    const auto made = image::Image("amd64").with_layers({layer.layer}, {{"the application"}});
    const auto config = make_blob(directory, made.render_config());
    store.write_blob({layer.layer.descriptor, layer.path}, {});
    store.write_blob(config, {});
    const auto manifest = made.render_manifest();
    store.write_manifest({std::string(image::media_type::manifest), manifest, made.digest()}, tag,
                         {});
    return made;
}

// removal_takes_tags: false for a registry that breaks the specification there.
inline void check_blob_store(image::BlobStore& writer, image::BlobStore& reader,
                             bool removal_takes_tags = true) {
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
    SECTION("a streamed blob is what was produced, and nothing when the producer fails") {
        const std::string bytes(200'000, 's');
        const auto produce = [&](const image::ByteSink& sink) {
            sink(std::string_view(bytes).substr(0, 70'000));
            sink(std::string_view(bytes).substr(70'000));
        };
        const auto done = writer.stream_blob(produce, stop);
        CHECK(done.digest == image::Digest::of(bytes));
        CHECK(done.size == bytes.size());
        CHECK_FALSE(done.was_there);
        CHECK(reader.find_missing({{"", done.digest, done.size}}, stop).empty());
        CHECK(writer.stream_blob(produce, stop).was_there);
        CHECK_THROWS_WITH(writer.stream_blob(
                              [](const image::ByteSink& sink) {
                                  sink("half of it");
                                  throw std::runtime_error("no more");
                              },
                              stop),
                          "no more");
        CHECK(reader.find_missing({{"", image::Digest::of("half of it"), 10}}, stop).size() == 1);
    }
    SECTION("an artifact is found by the image that it is about, of its type") {
        const auto made = push_small_image(writer, "subject");
        const image::Descriptor subject{std::string(image::media_type::manifest), made.digest(),
                                        made.render_manifest().size()};
        CHECK(reader.list_referrers(subject.digest, "", stop).empty());
        writer.write_blob(make_blob(directory, "{}"), stop);
        const auto note = make_blob(directory, "signed, sealed");
        writer.write_blob(note, stop);
        for (const auto* type : {"application/vnd.test.a", "application/vnd.test.b"}) {
            const auto artifact = image::render_artifact(
                {type, subject, {{{"text/plain", note.descriptor.digest, 14}}}, {{"k", "v"}}});
            writer.write_manifest(artifact, std::nullopt, stop);
            writer.write_manifest(artifact, std::nullopt, stop);
        }
        CHECK(reader.list_referrers(subject.digest, "", stop).size() == 2);
        const auto found = reader.list_referrers(subject.digest, "application/vnd.test.b", stop);
        REQUIRE(found.size() == 1);
        CHECK(found[0].artifact_type == "application/vnd.test.b");
        CHECK(found[0].annotations.at("k") == "v");
        const auto back = reader.read_manifest(found[0].descriptor.digest.render(), stop);
        REQUIRE(back);
        CHECK(image::subject_of(*back)->digest == made.digest());
        // One that is gone is on no list, which takes others as before.
        CHECK(writer.remove_manifest(found[0].descriptor.digest, stop));
        CHECK(reader.list_referrers(subject.digest, "", stop).size() == 1);
        writer.write_manifest(
            image::render_artifact({"application/vnd.test.c",
                                    subject,
                                    {{{"text/plain", note.descriptor.digest, 14}}},
                                    {}}),
            std::nullopt, stop);
        CHECK(reader.list_referrers(subject.digest, "", stop).size() == 2);
    }
    SECTION("tags are listed, and a removed manifest takes its tags along") {
        const auto first = push_small_image(writer, "b", "one");
        push_small_image(writer, "a", "two");
        auto tags = reader.list_tags(stop);
        CHECK(std::find(tags.begin(), tags.end(), "a") != tags.end());
        CHECK(std::find(tags.begin(), tags.end(), "b") != tags.end());
        CHECK(std::is_sorted(tags.begin(), tags.end()));
        CHECK(writer.remove_manifest(first.digest(), stop));
        if (removal_takes_tags) CHECK_FALSE(reader.read_manifest("b", stop));
        CHECK_FALSE(reader.read_manifest(first.digest().render(), stop));
        CHECK_FALSE(writer.remove_manifest(first.digest(), stop));
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
