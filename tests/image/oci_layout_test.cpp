#include "image/oci_layout.h"

#include "blob_store_contract.h"
#include "skip.h"

#include "base/fd.h"
#include "base/in_use.h"
#include "base/task_group.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace {

// By this program's calls so far.
std::uint64_t bytes_read() {
    const auto text = base::read_file("/proc/self/io");
    return std::stoull(text.substr(text.find("rchar: ") + 7));
}

} // namespace

TEST_CASE("an OCI layout keeps the contract of a blob store") {
    const base::TempDir directory("layout");
    const auto writer = image::open_oci_layout(directory.path() / "image");
    const auto reader = image::open_oci_layout(directory.path() / "image");
    contract::check_blob_store(*writer, *reader);
}

TEST_CASE("a layout has the files that the specification names") {
    const base::TempDir directory("layout");
    contract::push_small_image(*image::open_oci_layout(directory.path()), "v1");
    CHECK(json::parse(base::read_file(directory.path() / "oci-layout")) ==
          json{{"imageLayoutVersion", "1.0.0"}});
    const auto index = json::parse(base::read_file(directory.path() / "index.json"));
    CHECK(index["schemaVersion"] == 2);
    REQUIRE(index["manifests"].size() == 1);
    CHECK(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "v1");
    for (const auto& entry :
         std::filesystem::directory_iterator(directory.path() / "blobs" / "sha256"))
        CHECK(image::digest_of_file(entry.path()).hex() == entry.path().filename());
}

TEST_CASE("a layout in a directory that this very program uses is read and written") {
    const base::TempDir directory("layout");
    const auto used = base::use(directory.path());
    contract::push_small_image(*image::open_oci_layout(directory.path()), "v1");
    CHECK(image::open_oci_layout(directory.path())->list_tags({}) ==
          std::vector<std::string>{"v1"});
}

TEST_CASE("writing the same image twice lists it once") {
    const base::TempDir directory("layout");
    const auto store = image::open_oci_layout(directory.path());
    contract::push_small_image(*store, "v1");
    contract::push_small_image(*store, "v1");
    CHECK(json::parse(base::read_file(directory.path() / "index.json"))["manifests"].size() == 1);
    contract::push_small_image(*store, "v2");
    CHECK(json::parse(base::read_file(directory.path() / "index.json"))["manifests"].size() == 2);
}

TEST_CASE("a damaged blob is noticed when it is read and replaced when it is written") {
    const base::TempDir directory("layout"), files("blob");
    const auto store = image::open_oci_layout(directory.path());
    const auto blob = contract::make_blob(files, "precious bytes");
    store->write_blob(blob, {});
    base::write_file(directory.path() / "blobs/sha256" / blob.descriptor.digest.hex(),
                     "precious bytez");
    CHECK_THROWS_AS(store->read_blob(blob.descriptor, [](auto) {}, {}), base::Error);
    store->write_blob(blob, {});
    CHECK_NOTHROW(store->read_blob(blob.descriptor, [](auto) {}, {}));
}

TEST_CASE("a blob of the right size with other bytes is missing") {
    const base::TempDir directory("layout"), files("blob");
    const auto store = image::open_oci_layout(directory.path());
    const auto blob = contract::make_blob(files, "precious bytes");
    store->write_blob(blob, {});
    const auto path = directory.path() / "blobs/sha256" / blob.descriptor.digest.hex();
    base::write_file(path, "precious bytez");
    CHECK(store->find_missing({blob.descriptor}, {}).size() == 1);
    store->write_blob(blob, {});
    CHECK(store->find_missing({blob.descriptor}, {}).empty());
    base::replace_file(path, "precious bytez"); // verified, and another file now
    CHECK(store->find_missing({blob.descriptor}, {}).size() == 1);
}

TEST_CASE("a blob that does not change is read once to know that it is there") {
    const base::TempDir directory("layout"), files("blob");
    const auto store = image::open_oci_layout(directory.path());
    const auto blob = contract::make_blob(files, std::string(1'000'000, 'b'));
    store->write_blob(blob, {});
    const auto before = bytes_read();
    CHECK(store->find_missing({blob.descriptor}, {}).empty());
    const auto first = bytes_read();
    CHECK(store->find_missing({blob.descriptor}, {}).empty());
    store->write_blob(blob, {});
    CHECK(first - before >= 1'000'000);
    CHECK(bytes_read() - first < 100'000);
}

TEST_CASE("a link in the blobs directory is not followed") {
    const base::TempDir directory("layout");
    const auto store = image::open_oci_layout(directory.path());
    const auto digest = image::Digest::of("secret");
    base::write_file(directory.path() / "secret", "secret");
    std::filesystem::create_symlink(directory.path() / "secret",
                                    directory.path() / "blobs/sha256" / digest.hex());
    CHECK_THROWS_AS(store->read_blob({"x", digest, 6}, [](auto) {}, {}), base::Error);
}

TEST_CASE("tags written by several threads are all there at the end") {
    const base::TempDir directory("layout");
    image::open_oci_layout(directory.path());
    base::TaskGroup group;
    for (int i = 0; i < 8; ++i)
        group.start([&, i](const base::Stop&) {
            const auto store = image::open_oci_layout(directory.path());
            const std::string manifest = "{\"n\":" + std::to_string(i) + "}";
            store->write_manifest(
                {std::string(image::media_type::manifest), manifest, image::Digest::of(manifest)},
                "t" + std::to_string(i), {});
        });
    group.join();
    const auto store = image::open_oci_layout(directory.path());
    for (int i = 0; i < 8; ++i) CHECK(store->read_manifest("t" + std::to_string(i), {}));
}

TEST_CASE("skopeo reads a layout that we wrote") {
    if (is_missing("skopeo")) return;
    const base::TempDir directory("layout");
    const auto made = contract::push_small_image(*image::open_oci_layout(directory.path()), "v1");
    const auto result =
        base::run({.argv = {"skopeo", "inspect", "oci:" + directory.path().string() + ":v1"},
                   .environment = base::minimal_environment()},
                  {});
    INFO(result.error);
    REQUIRE(result.status.ok());
    const auto seen = json::parse(result.output);
    CHECK(seen["Digest"] == made.digest().render());
    CHECK(seen["Layers"][0] == made.layers()[0].descriptor.digest.render());
    CHECK(seen["Os"] == "linux");
}
