#include "builder/run_layers.h"

#include "blob_store_contract.h"
#include "registry_process.h"
#include "skip.h"

#include "image/oci_layout.h"
#include "registry/repository.h"

namespace {

std::shared_ptr<image::BlobStore> open(const RegistryProcess& registry, const std::string& name) {
    return registry::open_repository(registry.host(), name, {});
}

struct Run {
    explicit Run(const RegistryProcess& registry)
        : store(open(registry, "stacks/run")),
          image(contract::push_small_image(*store, "new", "of the run image")),
          run{image::Reference::parse(registry.host() + "/stacks/run:new"), image.digest(), image} {
    }
    std::shared_ptr<image::BlobStore> store;
    image::Image image;
    builder::RunImage run;
};

bool has_layers(image::BlobStore& store, const image::Image& image) {
    std::vector<image::Descriptor> blobs;
    for (const auto& layer : image.layers()) blobs.push_back(layer.descriptor);
    return store.find_missing(blobs, {}).empty();
}

} // namespace

TEST_CASE("layers that the registry has are mounted, and those of the old image not asked for") {
    if (is_missing("docker-registry")) return;
    RegistryProcess registry;
    const Run run(registry);
    builder::RunLayers layers(run.run, run.store, registry.host());
    const auto app = open(registry, "apps/one");
    const auto moved = layers.put(*app, "apps/one", image::Image("amd64"), {});
    CHECK(moved.mounted == 1);
    CHECK(moved.sent == 0);
    CHECK(has_layers(*app, run.image));
    const auto again = layers.put(*app, "apps/one", run.image, {});
    CHECK(again.mounted + again.sent == 0);
}

TEST_CASE("layers of another registry are sent to one repository and mounted from there") {
    if (is_missing("docker-registry")) return;
    RegistryProcess elsewhere, registry;
    const Run run(elsewhere);
    builder::RunLayers layers(run.run, run.store, registry.host());
    const auto one = open(registry, "apps/one"), two = open(registry, "apps/two");
    CHECK(layers.put(*one, "apps/one", image::Image("amd64"), {}).sent == 1);
    CHECK(layers.put(*two, "apps/two", image::Image("amd64"), {}).mounted == 1);
    CHECK(has_layers(*one, run.image));
    CHECK(has_layers(*two, run.image));
}

TEST_CASE("an image on a run image lies in a layout with all that it needs") {
    if (is_missing("docker-registry")) return;
    RegistryProcess registry;
    const Run run(registry);
    const base::TempDir directory("layout");
    const auto layout = image::open_oci_layout(directory.path());
    builder::RunLayers layers(run.run, run.store, "");
    CHECK(layers.put(*layout, "", image::Image("amd64"), {}).sent == 1);
    const auto digest = builder::write_image(*layout, "", run.image, "v1", {});
    CHECK(digest == run.image.digest());
    CHECK(image::read_image(*layout, "v1", "amd64", "it", {}).digest() == digest);
    CHECK(has_layers(*layout, run.image));
}

TEST_CASE("a configuration that is there and one that is not are both in the registry afterwards") {
    if (is_missing("docker-registry")) return;
    RegistryProcess registry;
    const auto store = open(registry, "apps/one");
    const auto image = contract::push_small_image(*store, "old", "of an app");
    auto config = image.config();
    config.labels["another"] = "label";
    const auto changed = image.with_config(config);
    for (int turn = 0; turn < 2; ++turn) { // the second time it is there
        const auto digest = builder::write_image(*store, "apps/one", changed, "v1", {});
        CHECK(image::read_image(*store, "v1", "amd64", "it", {}).digest() == digest);
    }
}
