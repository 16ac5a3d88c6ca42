#include "image/copy.h"

#include "image/index.h"
#include "image/oci_layout.h"

#include "blob_store_contract.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

namespace {

namespace fs = std::filesystem;
using image::copy;
using nlohmann::json;

std::set<std::string> files_of(const fs::path& layout) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(layout / "blobs/sha256"))
        names.insert(entry.path().filename());
    return names;
}

json entries_of(const fs::path& layout) {
    return json::parse(base::read_file(layout / "index.json"))["manifests"];
}

// Two images that share their layer, under one index "both"; the first has an artifact.
struct Source {
    base::TempDir directory{"from"};
    std::unique_ptr<image::BlobStore> store = image::open_oci_layout(directory.path());
    image::RawManifest index, artifact;

    Source() {
        const auto amd = contract::push_small_image(*store, "amd", "same content");
        image::Index both;
        both = both.with(entry_of(amd, "amd64"));
        const auto arm = image::Image("arm64").with_layers(amd.layers(), {{"the application"}});
        const base::TempDir files("config");
        store->write_blob(contract::make_blob(files, arm.render_config()), {});
        store->write_manifest(raw(arm), std::nullopt, {});
        index = both.with(entry_of(arm, "arm64")).render();
        store->write_manifest(index, "both", {});
        store->write_blob(contract::make_blob(files, "{}"), {});
        const auto note = contract::make_blob(files, "a note");
        store->write_blob(note, {});
        artifact = image::render_artifact({"application/vnd.test.note",
                                           both.entries()[0].manifest,
                                           {{{"text/plain", note.descriptor.digest, 6}}}});
        store->write_manifest(artifact, image::referrers_tag(amd.digest()) + ".att", {});
    }

    static image::RawManifest raw(const image::Image& one) {
        return {std::string(image::media_type::manifest), one.render_manifest(), one.digest()};
    }
    static image::Index::Entry entry_of(const image::Image& one, const std::string& architecture) {
        const auto manifest = raw(one);
        return {{manifest.media_type, manifest.digest, manifest.bytes.size()},
                {"linux", architecture}};
    }
};

} // namespace

TEST_CASE("an index is copied with all its images, and has the same digest") {
    Source source;
    const base::TempDir directory("to");
    const auto to = image::open_oci_layout(directory.path());
    const auto report = copy(*source.store, source.index, *to, {.tag = "both"}, {});
    CHECK(report.manifests == 3);
    CHECK(report.sent == 3); // one layer, two configurations
    CHECK(report.there == 0);
    CHECK(to->read_manifest("both", {})->bytes == source.index.bytes);
    CHECK(files_of(directory.path()).size() == 6);
    // What the index names is no image beside it.
    CHECK(entries_of(directory.path()).size() == 1);
    for (const auto* architecture : {"amd64", "arm64"})
        CHECK_NOTHROW(image::read_image(*to, "both", architecture, "both", {}));
}

TEST_CASE("what is there is not sent again") {
    Source source;
    const base::TempDir directory("to");
    const auto to = image::open_oci_layout(directory.path());
    const auto one = *source.store->read_manifest("amd", {});
    CHECK(copy(*source.store, one, *to, {.tag = "one"}, {}).sent == 2);
    const auto rest = copy(*source.store, source.index, *to, {.tag = "both"}, {});
    CHECK(rest.there == 2);
    CHECK(rest.sent == 1);
    const auto again = copy(*source.store, source.index, *to, {.tag = "both"}, {});
    CHECK(again.sent == 0);
    CHECK(again.bytes_sent == 0);
    // A tag of its own keeps an image listed that an index names as well.
    CHECK(to->list_tags({}) == std::vector<std::string>{"both", "one"});
}

TEST_CASE("what is attached goes along when it is asked for, under its tag") {
    Source source;
    const base::TempDir directory("to");
    const auto to = image::open_oci_layout(directory.path());
    copy(*source.store, source.index, *to, {.tag = "both"}, {});
    const auto subject = image::subject_of(source.artifact)->digest;
    CHECK(to->list_referrers(subject, "", {}).empty());
    const auto report =
        copy(*source.store, source.index, *to, {.tag = "both", .referrers = true}, {});
    CHECK(report.manifests == 4);
    CHECK(report.sent == 2); // the note and the empty configuration
    REQUIRE(to->list_referrers(subject, "", {}).size() == 1);
    const auto tagged = to->read_manifest(image::referrers_tag(subject) + ".att", {});
    REQUIRE(tagged);
    CHECK(tagged->digest == source.artifact.digest);
}

TEST_CASE("an artifact that an index names goes with the index, and its subject knows of it") {
    Source source;
    const base::TempDir directory("to"), files("note");
    const auto amd = source.store->read_manifest("amd", {}).value();
    const auto note = contract::make_blob(files, "another note");
    source.store->write_blob(note, {});
    const auto artifact =
        image::render_artifact({"application/vnd.test.other",
                                image::Descriptor{amd.media_type, amd.digest, amd.bytes.size()},
                                {{{"text/plain", note.descriptor.digest, 12}}}});
    source.store->write_manifest(artifact, std::nullopt, {});
    const auto noted = image::Index::parse(source.index)
                           .with({{artifact.media_type, artifact.digest, artifact.bytes.size()},
                                  {"unknown", "unknown"}})
                           .render();
    source.store->write_manifest(noted, "noted", {});
    REQUIRE(source.store->list_referrers(amd.digest, "application/vnd.test.other", {}).size() == 1);
    const auto to = image::open_oci_layout(directory.path());
    for (int time = 0; time < 2; ++time) {
        const auto report =
            copy(*source.store, noted, *to, {.tag = "noted", .referrers = true}, {});
        CHECK(report.manifests == 5);
        CHECK(to->read_manifest("noted", {})->digest == noted.digest);
        CHECK(to->list_referrers(amd.digest, "", {}).size() == 2);
        CHECK(entries_of(directory.path()).size() == 2); // the index, and the note beside it
    }
}

TEST_CASE("what is there but damaged is sent again") {
    Source source;
    const base::TempDir directory("to");
    const auto one = *source.store->read_manifest("amd", {});
    const auto layer = directory.path() / "blobs/sha256" / image::blobs_of(one)[1].digest.hex();
    copy(*source.store, one, *image::open_oci_layout(directory.path()), {.tag = "one"}, {});
    const auto bytes = base::read_file(layer);
    auto other = bytes;
    other.back() = static_cast<char>(other.back() ^ 1);
    base::write_file(layer, other);
    const auto report =
        copy(*source.store, one, *image::open_oci_layout(directory.path()), {.tag = "one"}, {});
    CHECK(report.sent == 1);
    CHECK(report.there == 1);
    CHECK((base::read_file(layer) == bytes));
}

TEST_CASE("an image of which a part is lost or damaged is not copied, and has no tag then") {
    Source source;
    const base::TempDir directory("to");
    const auto to = image::open_oci_layout(directory.path());
    const auto blobs = source.directory.path() / "blobs/sha256";
    const auto one = *source.store->read_manifest("amd", {});
    const auto layer = blobs / image::blobs_of(one)[1].digest.hex();
    SECTION("an image of the index") {
        fs::remove(blobs / one.digest.hex());
        CHECK(kind_of([&] { copy(*source.store, source.index, *to, {.tag = "both"}, {}); }) ==
              base::ErrorKind::not_found);
    }
    SECTION("a layer with another byte") {
        auto bytes = base::read_file(layer);
        bytes.back() = static_cast<char>(bytes.back() ^ 1);
        base::write_file(layer, bytes);
        CHECK(kind_of([&] { copy(*source.store, source.index, *to, {.tag = "both"}, {}); }) ==
              base::ErrorKind::invalid_input);
    }
    CHECK(to->list_tags({}).empty());
    CHECK_FALSE(files_of(directory.path()).contains(layer.filename()));
}

TEST_CASE("a layout's only image needs no name, and its artifacts do not hide it") {
    Source source;
    const base::TempDir directory("to");
    const auto to = image::open_oci_layout(directory.path());
    CHECK(kind_of([&] { image::default_image(directory.path()); }) == base::ErrorKind::not_found);
    copy(*source.store, source.index, *to, {.tag = "both", .referrers = true}, {});
    CHECK(image::default_image(directory.path()) == source.index.digest);
    const auto one = *source.store->read_manifest("amd", {});
    copy(*source.store, one, *to, {.tag = "one"}, {});
    CHECK(kind_of([&] { image::default_image(directory.path()); }) == base::ErrorKind::not_found);
    copy(*source.store, one, *to, {.tag = "latest"}, {});
    CHECK(image::default_image(directory.path()) == one.digest);
}

TEST_CASE("an image's platform is what its configuration says") {
    Source source;
    const auto one = *source.store->read_manifest("amd", {});
    CHECK(image::read_platform(*source.store, one, {}) == image::Platform{"linux", "amd64"});
    CHECK_THROWS_AS(image::read_platform(*source.store, source.artifact, {}), base::Error);
}
