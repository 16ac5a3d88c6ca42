#include "builder/proof.h"

#include "blob_store_contract.h"

#include "image/oci_layout.h"
#include "proof/bills.h"
#include "proof/statement.h"
#include "proof/verify.h"

#include <catch2/catch.hpp>

TEST_CASE("a published image gets provenance, both bills of materials and the log") {
    const base::TempDir directory("proof");
    const auto store = image::open_oci_layout(directory.path());
    const auto image = contract::push_small_image(*store, "app").digest();
    builder::Job job;
    job.id = "b1";
    job.app = "hello";
    job.revision = std::string(40, 'a');
    job.source = builder::GitTree{"/nowhere", job.revision, {}};
    job.buildpacks.uris = {"https://ann:token@example.com/bp.git#v1"};
    auto materials = builder::materials_of(job);
    materials.layers = {{.role = "layer", .name = "Application Layer"}};
    const auto bills = proof::merge_bills({}, "hello", image);
    materials.bills = {{std::string(proof::cyclonedx_media_type),
                        proof::put_blob(*store, proof::cyclonedx_media_type, bills.cyclonedx, {})},
                       {std::string(proof::spdx_media_type),
                        proof::put_blob(*store, proof::spdx_media_type, bills.spdx, {})}};
    const auto key = base::KeyPair::make();
    builder::attach_proof(*store, job, {.reference = "hello", .digest = image.render()}, materials,
                          "-----> Done\n",
                          {.builder = "https://builds.example",
                           .version = "0.1.0",
                           .repository_url = "git+ssh://git@builds.example/hello.git",
                           .ref = "refs/heads/main",
                           .started = 1000,
                           .finished = 2000},
                          key, {});

    const auto evidence = proof::verify(*store, image, {key.public_key()}, {});
    CHECK(evidence.predicates.size() == 3);
    CHECK(evidence.predicates.count(std::string(proof::predicate_type::cyclonedx)) == 1);
    CHECK(evidence.predicates.count(std::string(proof::predicate_type::spdx)) == 1);
    const auto& said = evidence.provenance;
    CHECK(said.source.uri == "git+ssh://git@builds.example/hello.git");
    CHECK(said.source.revision == job.revision);
    CHECK(said.dependencies[0].uri == said.source.uri);
    CHECK(said.buildpacks == std::vector<std::string>{"https://example.com/bp.git"});
    REQUIRE(said.byproducts.size() == 4);
    CHECK(said.byproducts[1].role == "bill");
    CHECK(said.byproducts[2].media_type == proof::spdx_media_type);
    CHECK(said.byproducts[3].role == "layer");
    CHECK(said.settings.at("compression") == "gzip");
    CHECK(said.settings.at("slugignore") == "after");
    CHECK(said.byproducts[0].digest.at("sha256") == image::Digest::of("-----> Done\n").hex());
    CHECK(store->list_referrers(image, "", {}).size() == 5);
}

TEST_CASE("an image that is gone gets no proof, and that is said") {
    const base::TempDir directory("proof");
    const auto store = image::open_oci_layout(directory.path());
    builder::Job job;
    job.source = builder::GitTree{"/nowhere", std::string(40, 'a'), {}};
    CHECK(kind_of([&] {
              builder::attach_proof(
                  *store, job, {.reference = "x", .digest = image::Digest::of("gone").render()},
                  builder::materials_of(job), "", {}, base::KeyPair::make(), {});
          }) == base::ErrorKind::unavailable);
}
