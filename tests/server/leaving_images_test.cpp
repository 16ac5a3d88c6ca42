#include "leaving_images.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace {

constexpr std::chrono::minutes tokens_live{6};

struct Leaving {
    Leaving() {
        store->add_app({"shop", 1});
        push("shop");
    }
    // As docker-registry stores a tag.
    void push(const std::string& repository) const {
        std::filesystem::create_directories(tag(repository));
        base::write_file(tag(repository) / "link", "sha256:" + std::string(64, 'a'));
    }
    std::filesystem::path tag(const std::string& repository) const {
        return directory.path() / "docker/registry/v2/repositories" / repository /
               "_manifests/tags/latest/current";
    }
    bool holds_images(const std::string& repository) const {
        return std::filesystem::exists(tag(repository));
    }

    base::TempDir directory{"leaving"};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(directory.path() / "db");
    const server::LeavingImages images{server::RegistryFiles(directory.path()), *store, "here"};
};

} // namespace

TEST_CASE("images that a server had no time to remove are removed by the next one") {
    Leaving leaving;
    leaving.store->add_app({"blog", 1});
    leaving.push("blog");
    leaving.store->remove_app("shop", "here"); // and it dies
    leaving.images.sweep({});
    CHECK_FALSE(leaving.holds_images("shop"));
    CHECK(leaving.holds_images("blog"));
    CHECK_FALSE(leaving.store->is_leaving("shop"));
}

TEST_CASE("images that come back with a token of before leave again, until no such token is good") {
    Leaving leaving;
    leaving.store->remove_app("shop", "here");
    for (int round = 0; round < 3; ++round) {
        leaving.push("shop");
        leaving.images.sweep(tokens_live);
        CHECK_FALSE(leaving.holds_images("shop"));
        CHECK(leaving.store->is_leaving("shop"));
    }
    leaving.push("shop");
    leaving.images.sweep({});
    CHECK_FALSE(leaving.holds_images("shop"));
    CHECK_FALSE(leaving.store->is_leaving("shop"));
}

TEST_CASE("an app that has the repository again keeps its images") {
    Leaving leaving;
    leaving.store->remove_app("shop", "here");
    leaving.images.make_room("shop");
    CHECK_FALSE(leaving.holds_images("shop"));
    leaving.store->add_app({"shop", 2});
    leaving.push("shop");
    leaving.images.make_room("shop");
    leaving.images.sweep({});
    CHECK(leaving.holds_images("shop"));
}
