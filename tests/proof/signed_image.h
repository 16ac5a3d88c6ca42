// An image in a layout of its own, with what a server attaches to it.
#pragma once

#include "blob_store_contract.h"

#include "image/oci_layout.h"
#include "proof/attach.h"
#include "proof/provenance.h"
#include "proof/statement.h"

struct SignedImage {
    explicit SignedImage(const base::KeyPair& key, const std::string& content = "hello")
        : store(image::open_oci_layout(directory.path())) {
        image = contract::push_small_image(*store, "app", content).digest();
        attach(key);
    }

    static proof::Provenance provenance() {
        return {
            .app = "hello",
            .source = {"git", "git+ssh://git@builds.example/hello.git", "refs/heads/main",
                       std::string(40, 'a')},
            .stack = "debian-12",
            .environment = {"DATABASE_URL"},
            .dependencies = {{.role = "source", .digest = {{"gitCommit", std::string(40, 'a')}}},
                             {.role = "buildpack", .name = "test/script@1.0"}},
            .builder = "https://builds.example",
            .builder_version = "0.1.0",
            .build = "b1",
            .started = 1'700'000'000'000,
            .finished = 1'700'000'009'000};
    }

    void attach(const base::KeyPair& key, std::vector<proof::Document> documents = {},
                const std::string& name = "registry.example/hello") {
        const auto manifest = store->read_manifest(image.render(), {});
        proof::attach(*store,
                      {.name = name,
                       .image = {manifest->media_type, image, manifest->bytes.size()},
                       .predicates = {{std::string(proof::predicate_type::provenance),
                                       proof::render(provenance())}},
                       .documents = std::move(documents)},
                      key, {});
    }

    image::Artifact artifact(const std::string& tag) {
        return image::parse_artifact(store->read_manifest(tag, {}).value());
    }
    std::string bytes_of(const image::ArtifactBlob& blob) {
        std::string bytes;
        store->read_blob(blob.descriptor, [&](std::string_view more) { bytes += more; }, {});
        return bytes;
    }
    // Another manifest under the tag, as somebody with the right to push may put there.
    void put(const std::string& tag, const image::Artifact& artifact) {
        store->write_manifest(image::render_artifact(artifact), tag, {});
    }

    base::TempDir directory{"proof"};
    std::unique_ptr<image::BlobStore> store;
    image::Digest image;
};
