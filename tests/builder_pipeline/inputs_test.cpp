#include "inputs.h"

#include "blob_store_contract.h"

#include "base/fd.h"
#include "base/temp_dir.h"
#include "builder/target.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <functional>

using namespace builder;
namespace fs = std::filesystem;

namespace {

// An app, a buildpack and a stack; what a test changes of them makes another key, or not.
struct Inputs {
    Inputs() {
        for (const auto& folder : {app / "deep", pack / "bin"}) fs::create_directories(folder);
        base::write_file(app / "index.js", "hello");
        base::write_file(app / "deep" / "run.sh", "#!/bin/sh\n", 0755);
        fs::create_symlink("index.js", app / "link");
        base::write_file(pack / "bin" / "build", "#!/bin/sh\n", 0755);
        base::write_file(pack / "buildpack.toml",
                         "api = \"0.12\"\n[buildpack]\nid = \"test/pack\"\n"
                         "version = \"1.0\"\n");
        for (const char* program : {"slipway-launch", "slipway-init"})
            base::write_file(directory.path() / program, program);
        base::write_file(certificates, "a certificate");
        job.id = "b1";
        job.app = "hello";
        job.source = GitTree{"/nowhere", std::string(40, 'a'), {}};
        job.inputs.secret = base::Secret("secret");
        job.launcher_directory = directory.path();
        job.ca_file = certificates;
        job.environment = {{"NODE_ENV", "production"}};
    }

    std::string key() {
        buildpacks::Catalog catalog;
        catalog.add(classic ? buildpacks::load_classic(pack, "classic", "1", "")
                            : buildpacks::load_cnb(pack));
        catalog.set_order(order);
        return key_of({job, app, catalog, chosen, build_image, run_image}, {});
    }

    base::TempDir directory{"inputs"};
    fs::path app = directory.path() / "app", pack = directory.path() / "pack",
             certificates = directory.path() / "ca.crt";
    Job job;
    bool classic = false, chosen = false;
    buildpacks::Order order{{{"test/pack", "1.0"}}};
    image::Reference build_image =
        image::Reference::parse("one.example/stacks/tiny@sha256:" + std::string(64, 'a'));
    image::Reference run_image =
        image::Reference::parse("one.example/stacks/tiny@sha256:" + std::string(64, 'b'));
};

using Change = std::pair<const char*, std::function<void(Inputs&)>>;

} // namespace

TEST_CASE("whatever can reach the image makes another key") {
    const auto before = Inputs().key();
    REQUIRE(before.size() == 64);
    const Change changes[] = {
        {"a file's content", [](Inputs& in) { base::write_file(in.app / "index.js", "hallo"); }},
        {"a file's name",
         [](Inputs& in) { fs::rename(in.app / "index.js", in.app / "index.mjs"); }},
        {"a file's mode",
         [](Inputs& in) { fs::permissions(in.app / "index.js", fs::perms(0755)); }},
        {"a link's target",
         [](Inputs& in) {
             fs::remove(in.app / "link");
             fs::create_symlink("deep", in.app / "link");
         }},
        {"an empty directory", [](Inputs& in) { fs::create_directory(in.app / "empty"); }},
        {"a buildpack's content",
         [](Inputs& in) { base::write_file(in.pack / "bin" / "build", "#!/bin/sh\n:\n", 0755); }},
        {"the order", [](Inputs& in) { in.order[0][0].optional = true; }},
        {"who chose", [](Inputs& in) { in.chosen = true; }},
        {"the build image",
         [](Inputs& in) { in.build_image.digest = image::Digest::of("another"); }},
        {"the run image", [](Inputs& in) { in.run_image.digest = image::Digest::of("another"); }},
        {"the run image's name", [](Inputs& in) { in.run_image.repository = "stacks/other"; }},
        {"a variable", [](Inputs& in) { in.job.environment["NODE_ENV"] = "test"; }},
        {"a variable more", [](Inputs& in) { in.job.environment["EMPTY"] = ""; }},
        {"a service binding", [](Inputs& in) { in.job.bindings["db"]["type"] = "postgresql"; }},
        {"the certificates",
         [](Inputs& in) { base::write_file(in.certificates, "two certificates"); }},
        {"the network", [](Inputs& in) { in.job.network = "none"; }},
        {"the stack's name for classic buildpacks",
         [](Inputs& in) { in.job.stack.classic_name = "heroku-24"; }},
        {"when files are left out", [](Inputs& in) { in.job.slug_ignore = SlugIgnore::before; }},
        {"how variables are given", [](Inputs& in) { in.job.variables_in_environment = true; }},
        {"the memory", [](Inputs& in) { in.job.limits.memory_bytes = 1u << 30; }},
        {"the compression", [](Inputs& in) { in.job.compression = image::Compression::zstd; }},
        {"the launcher",
         [](Inputs& in) { base::write_file(in.directory.path() / "slipway-launch", "newer"); }},
        {"the app", [](Inputs& in) { in.job.inputs.secret = base::Secret("another app's"); }},
    };
    for (const auto& [what, change] : changes) {
        INFO(what);
        Inputs inputs;
        change(inputs);
        CHECK(inputs.key() != before);
    }
}

TEST_CASE("what cannot reach the image makes no other key") {
    const auto before = Inputs().key();
    const Change changes[] = {
        {"another place and time", [](Inputs&) {}},
        {"the build's number", [](Inputs& in) { in.job.id = "b2"; }},
        {"the door",
         [](Inputs& in) {
             in.job.source = Archive{"/sources/x", true};
         }},
        {"the commit", [](Inputs& in) { in.job.revision = std::string(40, 'c'); }},
        {"where the registry is", [](Inputs& in) { in.run_image.registry = "two.example:5000"; }},
        {"how long it may take", [](Inputs& in) { in.job.limits.time = std::chrono::seconds(5); }},
        {"how much it says", [](Inputs& in) { in.job.verbose = true; }},
        {"the image before", [](Inputs& in) { in.job.previous = "sha256:0"; }},
    };
    for (const auto& [what, change] : changes) {
        INFO(what);
        Inputs inputs;
        change(inputs);
        CHECK(inputs.key() == before);
    }
}

TEST_CASE("classic buildpacks are told the commit, so that it counts with them") {
    Inputs one, two;
    for (auto* inputs : {&one, &two}) {
        fs::remove(inputs->pack / "buildpack.toml"); // with it they are Cloud Native ones
        for (const char* program : {"detect", "compile"})
            base::write_file(inputs->pack / "bin" / program, "#!/bin/sh\n", 0755);
    }
    one.classic = two.classic = true;
    CHECK(one.key() == two.key());
    two.job.revision = std::string(40, 'c');
    CHECK(one.key() != two.key());
}

TEST_CASE("without a secret there is no key") {
    Inputs inputs;
    inputs.job.inputs.secret = {};
    CHECK(inputs.key().empty());
}

namespace {

// A target with the image of build b1, whose key is "k1".
struct Finished {
    Finished() {
        job.target = LayoutTarget{directory.path() / "target", "latest"};
        job.inputs.finished = {{"b1",
                                {.reference = "elsewhere",
                                 .digest = made.digest().render(),
                                 .size = 7,
                                 .processes = {{"web", "run", true}},
                                 .inputs = "k1"}}};
    }
    std::optional<Published> publish(const std::string& key) {
        const base::UniqueFd log =
            base::open_file(directory.path() / "log", O_WRONLY | O_CREAT | O_APPEND, 0600);
        Reporter report(log.get(), 1u << 20);
        return publish_finished(job, key, *store, report, {});
    }
    std::string log() { return base::read_file(directory.path() / "log"); }

    base::TempDir directory{"finished"};
    std::unique_ptr<image::BlobStore> store = image::open_oci_layout(directory.path() / "target");
    image::Image made = contract::push_small_image(*store, "before");
    Job job;
};

} // namespace

TEST_CASE("a finished build with the same key answers with its image, which takes the tag") {
    Finished finished;
    const auto published = finished.publish("k1");
    REQUIRE(published);
    CHECK(published->digest == finished.made.digest().render());
    CHECK(published->reference == reference_of(finished.job.target, finished.made.digest()));
    CHECK(published->same_as == "b1");
    CHECK(published->inputs == "k1");
    CHECK(published->size == 7);
    CHECK(published->processes.size() == 1);
    CHECK(finished.store->read_manifest("latest", {})->digest == finished.made.digest());
    CHECK(finished.log().find("The same inputs as of build b1") != std::string::npos);
}

TEST_CASE("another key, and none, are answered by no build") {
    Finished finished;
    CHECK_FALSE(finished.publish("k2"));
    finished.job.inputs.finished[0].published.inputs.clear();
    CHECK_FALSE(finished.publish(""));
    CHECK_FALSE(finished.store->read_manifest("latest", {}));
}

TEST_CASE("an image that the target lost is built again, and the log says why") {
    Finished finished;
    REQUIRE(finished.store->remove_manifest(finished.made.digest(), {}));
    CHECK_FALSE(finished.publish("k1"));
    CHECK(finished.log().find("Build b1 had the same inputs, but the registry does not have its "
                              "image any more") != std::string::npos);
}
