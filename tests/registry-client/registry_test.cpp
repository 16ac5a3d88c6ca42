// Against Debian's docker-registry.
#include "registry/repository.h"

#include "blob_store_contract.h"
#include "registry_process.h"
#include "skip.h"

#include "base/process.h"
#include "image/copy.h"
#include "image/index.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

RegistryProcess& the_registry() {
    static RegistryProcess process;
    return process;
}

std::string fresh_name() {
    static int count = 0;
    return "team/app-" + std::to_string(++count);
}

} // namespace

TEST_CASE("a registry's repository keeps the contract of a blob store") {
    if (is_missing("docker-registry")) return;
    const auto name = fresh_name();
    const auto writer = registry::open_repository(the_registry().host(), name, {});
    const auto reader = registry::open_repository(the_registry().host(), name, {});
    contract::check_blob_store(*writer, *reader);
}

TEST_CASE("a blob is mounted from another repository without its bytes") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("mount");
    const auto first = fresh_name(), second = fresh_name();
    const auto blob = contract::make_blob(directory, "shared bytes");
    const auto from = registry::open_repository(the_registry().host(), first, {});
    const auto to = registry::open_repository(the_registry().host(), second, {});
    from->write_blob(blob, {});
    CHECK(to->find_missing({blob.descriptor}, {}).size() == 1);
    CHECK(to->mount_blob(blob.descriptor, first, {}));
    CHECK(to->find_missing({blob.descriptor}, {}).empty());
    const auto other = contract::make_blob(directory, "bytes of nobody");
    CHECK_FALSE(to->mount_blob(other.descriptor, first, {}));
    to->write_blob(other, {}); // goes on with the upload that the mount began
    CHECK(to->find_missing({other.descriptor}, {}).empty());
}

TEST_CASE("many blobs are asked for at once") {
    if (is_missing("docker-registry")) return;
    const base::TempDir directory("many");
    const auto store = registry::open_repository(the_registry().host(), fresh_name(), {});
    std::vector<image::Descriptor> all;
    std::vector<image::Digest> unwritten;
    for (int i = 0; i < 20; ++i) {
        const auto blob = contract::make_blob(directory, "blob " + std::to_string(i));
        if (i % 3 == 0)
            store->write_blob(blob, {});
        else
            unwritten.push_back(blob.descriptor.digest);
        all.push_back(blob.descriptor);
    }
    CHECK(store->find_missing(all, {}) == unwritten);
}

TEST_CASE("a manifest whose blobs are missing is refused in the registry's own words") {
    if (is_missing("docker-registry")) return;
    const auto store = registry::open_repository(the_registry().host(), fresh_name(), {});
    const auto made = image::Image("amd64").with_layers(
        {{{std::string(image::media_type::layer_gzip), image::Digest::of("x"), 1},
          image::Digest::of("y")}},
        {{"no bytes"}});
    const auto manifest = made.render_manifest();
    try {
        store->write_manifest({std::string(image::media_type::manifest), manifest, made.digest()},
                              "v1", {});
        FAIL("the registry took it");
    } catch (const base::Error& error) {
        INFO(error.describe());
        CHECK(error.message().find("BLOB_UNKNOWN") != std::string::npos);
    }
    CHECK_FALSE(store->read_manifest("v1", {}));
}

// A registry takes no index before what it names.
TEST_CASE("an index that names an image's artifact beside the image is copied with it") {
    if (is_missing("docker-registry")) return;
    const base::TempDir files("artifact");
    const auto from = registry::open_repository(the_registry().host(), fresh_name(), {});
    const auto to = registry::open_repository(the_registry().host(), fresh_name(), {});
    contract::push_small_image(*from, "v1");
    const auto image = from->read_manifest("v1", {}).value();
    const image::Descriptor subject{image.media_type, image.digest, image.bytes.size()};
    const auto note = contract::make_blob(files, "a note");
    from->write_blob(note, {});
    from->write_blob(contract::make_blob(files, "{}"), {});
    const auto artifact = image::render_artifact(
        {"application/vnd.test.note", subject, {{{"text/plain", note.descriptor.digest, 6}}}});
    from->write_manifest(artifact, std::nullopt, {});
    const auto index = image::Index()
                           .with({subject, {"linux", "amd64"}})
                           .with({{artifact.media_type, artifact.digest, artifact.bytes.size()},
                                  {"unknown", "unknown"}})
                           .render();
    from->write_manifest(index, "all", {});
    const auto report = image::copy(*from, index, *to, {.tag = "all", .referrers = true}, {});
    CHECK(report.manifests == 3);
    CHECK(to->read_manifest("all", {}).value().digest == index.digest);
    CHECK(to->list_referrers(image.digest, "", {}).size() == 1);
}

TEST_CASE("skopeo pulls what we pushed, layers and all") {
    if (is_missing("docker-registry") || is_missing("skopeo")) return;
    const auto name = fresh_name();
    const auto store = registry::open_repository(the_registry().host(), name, {});
    const auto made = contract::push_small_image(*store, "v1");
    const base::TempDir directory("pulled");
    const auto result =
        base::run({.argv = {"skopeo", "copy", "--src-tls-verify=false",
                            "docker://" + the_registry().host() + "/" + name + ":v1",
                            "oci:" + directory.path().string() + ":v1"},
                   .environment = base::minimal_environment()},
                  {});
    INFO(result.error);
    REQUIRE(result.status.ok());
    const auto index = nlohmann::json::parse(base::read_file(directory.path() / "index.json"));
    CHECK(index["manifests"][0]["digest"] == made.digest().render());
}
