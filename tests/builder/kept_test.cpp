#include "builder/kept.h"

#include "blob_store_contract.h"

#include "builder/materials.h"
#include "image/oci_layout.h"
#include "proof/attach.h"

#include <catch2/catch.hpp>

using namespace builder;

namespace {

// A kept image with a bill of materials beside it, and a target that has neither.
struct Kept {
    Kept() {
        job.source = GitTree{"/nowhere", std::string(40, 'a'), {}};
        job.target = LayoutTarget{directory.path() / "target", "latest"};
        const auto layout = image::open_oci_layout(layout_of_kept(place));
        made.emplace(contract::push_small_image(*layout, "kept"));
        auto materials = materials_of(job);
        bill = proof::put_blob(*layout, "application/vnd.cyclonedx+json", "{}", {});
        materials.bills = {{"application/vnd.cyclonedx+json", bill}};
        write_kept(place, {{.reference = "unknown",
                            .digest = made->digest().render(),
                            .size = 5,
                            .processes = {{"web", "run", true}},
                            .inputs = "key"},
                           "127.0.0.1:1/run@sha256:" + std::string(64, 'a'),
                           render_materials(materials)});
    }
    base::TempDir directory{"kept"};
    std::filesystem::path place = directory.path() / "kept";
    std::optional<image::Image> made;
    image::Descriptor bill;
    Job job;
};

} // namespace

TEST_CASE("a kept image comes to the target with all that is its own, under the tag") {
    Kept kept;
    const auto published = publish_kept(kept.job, kept.place, {});
    CHECK(published.digest == kept.made->digest().render());
    CHECK(published.size == 5);
    CHECK(published.inputs == "key");
    CHECK(published.processes.size() == 1);
    const auto target = image::open_oci_layout(kept.directory.path() / "target");
    const auto read = image::read_image(*target, "latest", "amd64", "it", {});
    CHECK(read.digest() == kept.made->digest());
    CHECK(target->find_missing({read.layers()[0].descriptor, kept.bill}, {}).empty());
    CHECK(publish_kept(kept.job, kept.place, {}).digest == published.digest); // once more
}

TEST_CASE("what was kept reads back, and half of it is no kept image") {
    Kept kept;
    const auto read = read_kept(kept.place);
    CHECK(read.run_image.starts_with("127.0.0.1:1/run@"));
    CHECK(parse_materials(read.materials).bills.size() == 1);
    REQUIRE(is_kept(kept.place));
    std::filesystem::remove(kept.place / "kept.json");
    CHECK_FALSE(is_kept(kept.place));
    CHECK_THROWS_AS(publish_kept(kept.job, kept.place, {}), base::Error);
}

TEST_CASE("a layer that lies nowhere any more is an error and no image") {
    Kept kept;
    const auto blob = kept.made->layers()[0].descriptor.digest.hex();
    std::filesystem::remove(layout_of_kept(kept.place) / "blobs" / "sha256" / blob);
    CHECK_THROWS_AS(
        publish_kept(kept.job, kept.place, base::Stop{}.within(std::chrono::seconds(5))),
        base::Error);
    const auto target = image::open_oci_layout(kept.directory.path() / "target");
    CHECK_FALSE(target->read_manifest("latest", {}));
}
