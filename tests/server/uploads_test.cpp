#include "uploads.h"

#include "retention.h"

#include "errors.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

using base::ErrorKind;
using server::UploadStore;

namespace {

struct Place {
    base::TempDir directory{"uploads"};
    server::Config config;
    server::StateDirectory state{directory.path() / "state", server::own_user(), 0};
    std::unique_ptr<apps::Store> store = apps::open_sqlite_store(state.database());
    UploadStore uploads{config, state, *store};

    static UploadStore::Incoming incoming(const std::string& bytes) {
        return {.body =
                    [&bytes, at = std::size_t{0}](char* buffer, std::size_t size) mutable {
                        const auto n = std::min(size, bytes.size() - at);
                        std::memcpy(buffer, bytes.data() + at, n);
                        at += n;
                        return n;
                    },
                .announced = bytes.size()};
    }
    static std::string key_of(const UploadStore::Place& place) {
        return place.path.substr(place.path.find("key=") + 4);
    }
    std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(state.sources()), {}));
    }
};

} // namespace

TEST_CASE("a place is found by its id and its key, and by neither alone") {
    Place place;
    const auto made = place.uploads.make_place("t1");
    CHECK(made.path.starts_with("/v1/sources/" + made.row.id + "/content?key="));
    CHECK(place.uploads.open_place(made.row.id, Place::key_of(made)).owner == "t1");
    for (const char* key : {"", "wrong"})
        CHECK(kind_of([&] { place.uploads.open_place(made.row.id, key); }) == ErrorKind::not_found);
    CHECK(kind_of([&] { place.uploads.open_place("s000", Place::key_of(made)); }) ==
          ErrorKind::not_found);
    // The key is not in the database.
    CHECK(base::read_file(place.state.database()).find(Place::key_of(made)) == std::string::npos);
}

TEST_CASE("a place is closed after ten minutes") {
    Place place;
    const auto key = base::random_token(40);
    const auto now = apps::now_milliseconds();
    place.store->uploads().add({.id = "s1",
                                .secret_hash = base::sha256_hex(key),
                                .created = now - 600'001,
                                .expires = now - 1});
    CHECK(kind_of([&] { place.uploads.open_place("s1", key); }) == ErrorKind::denied);
    const auto fresh = place.uploads.make_place("t1").row;
    CHECK(fresh.expires - fresh.created == 600'000);
}

TEST_CASE("our own URL is known by its key, under whatever name; another's is not ours") {
    Place place;
    const auto made = place.uploads.make_place("t1");
    for (const char* origin : {"http://builds.test", "https://127.0.0.1:8080", "http://[::1]:1"})
        CHECK(place.uploads.recognise(origin + made.path)->id == made.row.id);
    CHECK_FALSE(place.uploads.recognise("https://other.test/v1/sources/s1/content?key=abc"));
    CHECK_FALSE(place.uploads.recognise("https://other.test/app.tar.gz"));
    CHECK_FALSE(place.uploads.recognise("https://other.test/v1/sources/"));
    CHECK_FALSE(place.uploads.recognise("http://x" + made.path + "%20"));
    auto wrong = made.path;
    wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
    CHECK(kind_of([&] { place.uploads.recognise("http://x" + wrong); }) == ErrorKind::not_found);
}

TEST_CASE("an upload is a source once it is there, until it is removed") {
    Place place;
    const auto made = place.uploads.make_place("t1");
    CHECK(kind_of([&] { place.uploads.source_of(made.row); }) == ErrorKind::not_found);
    const std::string bytes(5000, 'a');
    const auto spooled = place.uploads.receive(made.row, Place::incoming(bytes), {});
    const auto row = place.uploads.open_place(made.row.id, Place::key_of(made));
    CHECK(row.digest == spooled.digest);
    CHECK(row.size == 5000);
    const auto archive = place.uploads.source_of(row);
    CHECK(archive.strip_single_root);
    CHECK(base::read_file(archive.file) == bytes);
    CHECK(place.uploads.digest_of(archive) == row.digest);
    CHECK(place.uploads.has(archive));
    CHECK_FALSE(place.uploads.has({"/etc/passwd", true}));
    CHECK_FALSE(place.uploads.has({place.state.sources() / "../slipway.db", true}));
    place.uploads.spool().remove_unless(row.digest, [] { return false; });
    CHECK_FALSE(place.uploads.has(archive));
    CHECK(kind_of([&] { place.uploads.source_of(row); }) == ErrorKind::not_found);
}

TEST_CASE("a start removes what no row knows of, and nothing else") {
    Place place;
    const std::string known(100, 'k'), unknown(100, 'u');
    const auto kept = place.uploads.receive("t1", Place::incoming(known), {});
    place.uploads.spool().receive(Place::incoming(unknown).body, 0, {}, {}, {}, {});
    REQUIRE(place.files() == 2);
    UploadStore again(place.config, place.state, *place.store);
    CHECK(place.files() == 1);
    CHECK(again.source_of(kept).file.filename() == "sha256-" + base::sha256_hex(known));
}

TEST_CASE("a nearly full disk takes no upload and says whose business that is") {
    Place place;
    place.config.build.free_space = 1ull << 60;
    const std::string bytes(10, 'a');
    CHECK(kind_of([&] { place.uploads.receive("t1", Place::incoming(bytes), {}); }) ==
          ErrorKind::unavailable);
    CHECK(place.files() == 0);
}

TEST_CASE("a disk that fills up while an upload of unknown length comes ends it") {
    Place place;
    place.config.upload.size = 1ull << 40;
    std::size_t sent = 0;
    UploadStore::Incoming endless{.body = [&](char* buffer, std::size_t size) {
        std::memset(buffer, 'x', size);
        sent += size;
        if (sent >= 20u << 20) place.config.build.free_space = 1ull << 60; // as if others wrote
        return sent < 200u << 20 ? size : 0;
    }};
    CHECK(kind_of([&] { place.uploads.receive("t1", endless, {}); }) == ErrorKind::unavailable);
    CHECK(sent < 60u << 20); // at most a window and what was under way
    CHECK(place.files() == 0);
}

TEST_CASE("what others have announced and not sent yet is space that an upload may not count on") {
    Place place;
    const auto free = server::free_space(place.state.root());
    place.config.upload.size = free;
    place.config.build.free_space = free / 4;
    const std::string bytes(10, 'a');
    UploadStore::Incoming large = Place::incoming(bytes);
    large.announced = free / 2;
    ErrorKind second = ErrorKind::internal;
    large.body = [&](char*, std::size_t) -> std::size_t {
        UploadStore::Incoming other = Place::incoming(bytes);
        other.announced = free / 2;
        second = kind_of([&] { place.uploads.receive("t2", other, {}); });
        return 0;
    };
    CHECK_THROWS(place.uploads.receive("t1", large, {})); // it was empty
    CHECK(second == ErrorKind::unavailable);
    CHECK(place.uploads.receive("t1", Place::incoming(bytes), {}).size == 10); // it is free again
}

TEST_CASE("an old upload leaves, one that a young place or a waiting build needs stays") {
    using server::DryRun;
    Place place;
    place.store->add_app({"shop", 1});
    const std::string old_bytes(100, 'a'), shared_bytes(200, 'b'), built_bytes(300, 'c');
    const auto store = [&](const std::string& bytes, std::int64_t created) {
        auto upload = place.uploads.receive("t1", Place::incoming(bytes), {});
        place.store->uploads().remove(upload.id);
        upload.id += created == 1 ? "o" : "y";
        upload.created = created;
        place.store->uploads().add(upload);
        return upload;
    };
    store(old_bytes, 1);
    store(shared_bytes, 1);
    store(shared_bytes, apps::now_milliseconds());
    apps::Build waiting;
    waiting.id = apps::new_build_id();
    waiting.app = "shop";
    waiting.source = builder::render_source(place.uploads.source_of(store(built_bytes, 1)));
    place.store->builds().add(waiting);
    const auto prune = [&](DryRun dry_run) {
        return server::prune_uploads(place.uploads, place.store->uploads(), std::chrono::hours(1),
                                     dry_run);
    };
    const auto would_go = prune(DryRun::yes);
    REQUIRE(would_go.size() == 1);
    CHECK(would_go[0].bytes == 100);
    CHECK(place.files() == 3);
    CHECK(prune(DryRun::no).size() == 1);
    CHECK(place.files() == 2);
    CHECK(prune(DryRun::no).empty());
}
