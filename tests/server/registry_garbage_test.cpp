// Over files as docker-registry lays them out; that it does is the scenario's part
// (own_registry_garbage).
#include "registry_garbage.h"

#include "base/fd.h"
#include "base/temp_dir.h"
#include "image/digest.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

using image::Digest;
using nlohmann::json;
using server::RegistryFiles;
using server::RegistryGarbage;
using Time = std::filesystem::file_time_type;

namespace {

struct Registry {
    base::TempDir directory{"registry"};
    std::filesystem::path root = directory.path() / "docker/registry/v2";
    RegistryFiles files{directory.path()};
    const Time later = Time::clock::now() + std::chrono::hours(1);

    static void write(const std::filesystem::path& file, const std::string& text) {
        std::filesystem::create_directories(file.parent_path());
        base::write_file(file, text);
    }
    Digest blob(const std::string& bytes) {
        const auto digest = Digest::of(bytes);
        write(root / "blobs/sha256" / digest.hex().substr(0, 2) / digest.hex() / "data", bytes);
        return digest;
    }
    Digest manifest(const std::string& repository, const json& value) {
        const auto digest = blob(value.dump());
        write(manifests(repository) / "revisions/sha256" / digest.hex() / "link", digest.render());
        return digest;
    }
    // An image with a layer of these bytes.
    Digest image(const std::string& repository, const std::string& layer) {
        return manifest(repository, {{"config", {{"digest", blob("config of " + layer).render()}}},
                                     {"layers", {{{"digest", blob(layer).render()}}}}});
    }
    Digest index(const std::string& repository, const std::vector<Digest>& manifests) {
        json list = json::array();
        for (const auto& digest : manifests) list.push_back({{"digest", digest.render()}});
        return manifest(repository, {{"manifests", list}});
    }
    void tag(const std::string& repository, const std::string& name, const Digest& digest) {
        write(manifests(repository) / "tags" / name / "current/link", digest.render());
    }
    std::filesystem::path manifests(const std::string& repository) const {
        return root / "repositories" / repository / "_manifests";
    }
    RegistryGarbage garbage(const server::NamedImages& named) const {
        return server::find_garbage(files, named, later);
    }
};

// How far the stack of the test's own thread may grow.
class StackLimit {
  public:
    explicit StackLimit(rlim_t bytes) {
        REQUIRE(::getrlimit(RLIMIT_STACK, &before_) == 0);
        const rlimit less{bytes, before_.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_STACK, &less) == 0);
    }
    ~StackLimit() { ::setrlimit(RLIMIT_STACK, &before_); }
    StackLimit(const StackLimit&) = delete;
    StackLimit& operator=(const StackLimit&) = delete;

  private:
    rlimit before_{};
};

std::set<Digest> leaving(const RegistryGarbage& garbage) {
    std::set<Digest> digests;
    for (const auto& manifest : garbage.manifests) digests.insert(manifest.digest);
    return digests;
}

// A finished image that its registry did not take.
std::string add_parked(apps::Store& store, const std::string& app) {
    auto& builds = store.builds();
    builds.add({.id = "parked", .app = app, .state = apps::BuildState::queued, .durable = true});
    auto claim = builds.claim("here", std::chrono::minutes(1));
    REQUIRE(claim);
    claim->build.state = apps::BuildState::exporting;
    builds.park(claim->build, claim->fence, std::chrono::hours(1));
    return claim->build.id;
}

} // namespace

TEST_CASE("what a kept build or a tag names stays, with its blobs") {
    Registry registry;
    const auto built = registry.image("acme/web", "built");
    const auto tagged = registry.image("acme/web", "tagged");
    registry.tag("acme/web", "latest", tagged);
    const auto nobodys = registry.image("acme/web", "nobody's");
    const auto garbage = registry.garbage({{"acme/web", {built}}});
    CHECK(leaving(garbage) == std::set<Digest>{nobodys});
    CHECK(garbage.manifests.at(0).repository == "acme/web");
    CHECK(garbage.blobs == 3); // manifest, configuration, layer
    CHECK(garbage.bytes > 0);
}

TEST_CASE("a blob that another image has stays") {
    Registry registry;
    const auto kept = registry.image("web", "shared");
    registry.manifest("web", {{"config", {{"digest", registry.blob("another").render()}}},
                              {"layers", {{{"digest", registry.blob("shared").render()}}}}});
    const auto garbage = registry.garbage({{"web", {kept}}});
    CHECK(garbage.manifests.size() == 1);
    CHECK(garbage.blobs == 2);
}

TEST_CASE("of a repository that is no app's nothing leaves") {
    Registry registry;
    registry.image("stacks/tiny/run", "untagged");
    CHECK(registry.garbage({}).manifests.empty());
    CHECK(registry.garbage({{"stacks/tiny", {}}}).manifests.empty());
    CHECK(registry.garbage({}).blobs == 0);
}

TEST_CASE("blobs that no manifest has leave, as an upload that broke off leaves them") {
    Registry registry;
    registry.blob("alone");
    const auto garbage = registry.garbage({});
    CHECK(garbage.blobs == 1);
    CHECK(garbage.bytes == 5);
}

TEST_CASE("an index holds its images") {
    Registry registry;
    const auto one = registry.image("web", "amd64"), two = registry.image("web", "arm64");
    const auto both = registry.index("web", {one, two});
    CHECK(registry.garbage({{"web", {both}}}).manifests.empty());
    CHECK(leaving(registry.garbage({{"web", {two}}})) == std::set<Digest>{one, both});
}

TEST_CASE("indexes in indexes hold their image, however deep somebody pushed them") {
    Registry registry;
    const auto image = registry.image("web", "image");
    auto top = image;
    for (int depth = 0; depth < 6'000; ++depth) top = registry.index("web", {top});
    registry.tag("web", "latest", top);
    const auto nobodys = registry.image("web", "nobody's");
    const StackLimit less_than_a_frame_for_each(512u << 10);
    CHECK(leaving(registry.garbage({{"web", {}}})) == std::set<Digest>{nobodys});
}

TEST_CASE("what belongs to an image stays and leaves with it") {
    Registry registry;
    const auto image = registry.image("web", "image");
    const auto sbom = registry.image("web", "sbom"), signature = registry.image("web", "signature");
    const auto referrers = registry.index("web", {sbom});
    registry.tag("web", "sha256-" + image.hex(), referrers);
    registry.tag("web", "sha256-" + image.hex() + ".sig", signature);
    // Of the SBOM in turn.
    const auto signed_sbom = registry.image("web", "signature of the sbom");
    registry.tag("web", "sha256-" + sbom.hex() + ".sig", signed_sbom);

    CHECK(registry.garbage({{"web", {image}}}).manifests.empty());
    CHECK(registry.garbage({{"web", {image}}}).tags.empty());
    const auto gone = registry.garbage({{"web", {}}});
    CHECK(leaving(gone) == std::set<Digest>{image, sbom, signature, referrers, signed_sbom});
    CHECK(gone.tags.size() == 3);
}

TEST_CASE("what was written just now stays: whoever pushes may name it yet") {
    Registry registry;
    const auto fresh = registry.image("web", "fresh");
    const auto an_hour_ago = Time::clock::now() - std::chrono::hours(1);
    CHECK(server::find_garbage(registry.files, {{"web", {}}}, an_hour_ago).manifests.empty());
    CHECK(leaving(server::find_garbage(registry.files, {{"web", {}}}, registry.later)) ==
          std::set<Digest>{fresh});
}

TEST_CASE("a repository that is removed takes none of those below it") {
    Registry registry;
    registry.image("acme/web", "above");
    const auto below = registry.image("acme/web/api", "below");
    registry.files.remove_repository("acme/web");
    CHECK(registry.files.repositories() == std::vector<std::string>{"acme/web/api"});
    CHECK(registry.files.manifests("acme/web/api").at(0).digest == below);
}

TEST_CASE("a prune removes what it names, and looks again when nobody can write any more") {
    Registry registry;
    const auto store = apps::open_sqlite_store(registry.directory.path() / "db");
    store->add_app({"web", 1, "", "acme/web"});
    const auto old = registry.image("acme/web", "old"), saved = registry.image("acme/web", "saved");
    bool is_alone = false;
    int sweeps = 0;
    server::RegistryPrune prune{.files = registry.files,
                                .store = *store,
                                .age = std::chrono::hours(-1),
                                .alone =
                                    [&](const std::function<void()>& work) {
                                        if (!is_alone) return false;
                                        registry.tag("acme/web", "latest", saved);
                                        work();
                                        return true;
                                    },
                                .sweep = [&] { ++sweeps; }};
    CHECK(server::prune_registry(prune, server::DryRun::yes).size() == 3); // and the blobs
    const auto skipped = server::prune_registry(prune, server::DryRun::no);
    REQUIRE(skipped.size() == 1);
    CHECK(skipped[0].count == 0);
    CHECK(registry.files.manifests("acme/web").size() == 2);
    is_alone = true;
    // The registry has layers of an image whose manifest it did not take.
    const auto id = add_parked(*store, "web");
    const auto waited = server::prune_registry(prune, server::DryRun::no);
    REQUIRE(waited.size() == 1);
    CHECK(waited[0].reason == "skipped: an image waits to be sent; this is tried again in an hour");
    CHECK(sweeps == 0);
    store->builds().remove(id);
    const auto items = server::prune_registry(prune, server::DryRun::no);
    REQUIRE(items.size() == 2);
    CHECK(items[0].name == "acme/web@" + old.render());
    CHECK(items[1].kind == "blob");
    CHECK(sweeps == 1);
    REQUIRE(registry.files.manifests("acme/web").size() == 1);
    CHECK(registry.files.manifests("acme/web").at(0).digest == saved);
}

TEST_CASE("for a few kilobytes of blobs alone no build waits, for more of them they do") {
    Registry registry;
    const auto store = apps::open_sqlite_store(registry.directory.path() / "db");
    int sweeps = 0;
    const server::RegistryPrune prune{.files = registry.files,
                                      .store = *store,
                                      .age = std::chrono::hours(-1),
                                      .alone =
                                          [](const std::function<void()>& work) {
                                              work();
                                              return true;
                                          },
                                      .sweep = [&] { ++sweeps; }};
    registry.blob("the log of a build before");
    CHECK(server::prune_registry(prune, server::DryRun::yes).empty());
    CHECK(server::prune_registry(prune, server::DryRun::no).empty());
    CHECK(sweeps == 0);
    registry.blob(std::string(1u << 20, 'x'));
    CHECK(server::prune_registry(prune, server::DryRun::yes).at(0).count == 2);
    CHECK(server::prune_registry(prune, server::DryRun::no).at(0).count == 2);
    CHECK(sweeps == 1);
}
