#include "builder/target.h"
#include "layer_export.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "image/oci_layout.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>

using namespace builder;
namespace fs = std::filesystem;

namespace {

// A tree that is exported several times into one layout, as an app is by its builds.
class Exports {
  public:
    Exports() {
        fs::create_directories(tree);
        for (const char* name : {"a", "b/c", "b/d"}) write(name, std::string("content of ") + name);
        settle();
    }

    void write(const std::string& name, const std::string& bytes) {
        fs::create_directories((tree / name).parent_path());
        base::write_file(tree / name, bytes);
    }

    // As if all of it had been written long ago. What a file's times say is the kernel's to tell
    // (ctime), so the export waits for its clock to have ticked.
    void settle() const {
        const auto newest = [&] {
            std::int64_t changed = 0;
            const auto listing = list();
            for (std::size_t i = 0; i < listing.size(); ++i)
                changed = std::max(changed, listing.entry(i).changed);
            return listing.began() - changed;
        };
        while (newest() <= 20'000'000) {
        }
    }

    image::TreeListing list() const {
        return image::TreeListing::read(tree, image::EntryOrder::by_path);
    }

    // How often the layer's files were read.
    int run(image::BlobStore& into, image::Compression compression = image::Compression::gzip) {
        const auto listing = list();
        const image::LayerFormat format{compression, image::EntryOrder::by_path};
        std::atomic<int> read = 0;
        LayerPlan plan{.format = format,
                       .key = key_of({listing, image::select_all(listing), "app", {}}, format)};
        plan.content = [&](image::LayerWriter& writer) {
            ++read;
            writer.add_listed(listing, image::select_all(listing), "app", {});
        };
        LayerIndex index(file, [&](const std::string& sentence) { said.push_back(sentence); });
        last = export_layers({plan}, {into, nullptr, index}, {});
        index.commit();
        return read;
    }

    base::TempDir directory{"exports"};
    fs::path tree = directory.path() / "tree", file = directory.path() / "index";
    std::unique_ptr<image::BlobStore> store = image::open_oci_layout(directory.path() / "layout");
    ExportedLayers last;
    std::vector<std::string> said;
};

} // namespace

TEST_CASE("an unchanged tree is not read again and nothing is sent") {
    Exports exports;
    CHECK(exports.run(*exports.store) == 1);
    CHECK(exports.last.sent.blobs == 1);
    CHECK(exports.last.origins.at(0) == LayerOrigin::made);
    const auto first = exports.last.layers;
    CHECK(exports.run(*exports.store) == 0);
    CHECK(exports.last.origins.at(0) == LayerOrigin::unchanged);
    CHECK(exports.last.sent.blobs == 0);
    CHECK(exports.last.layers.at(0).descriptor.digest == first.at(0).descriptor.digest);
    CHECK(exports.last.layers.at(0).diff_id == first.at(0).diff_id);
    CHECK(exports.last.layers.at(0).compressor == first.at(0).compressor);
}

TEST_CASE("a tree with the same content in other files is read but neither made nor sent") {
    Exports exports;
    exports.run(*exports.store);
    const auto first = exports.last.layers.at(0).descriptor.digest;
    fs::rename(exports.tree, exports.directory.path() / "old");
    fs::copy(exports.directory.path() / "old", exports.tree, fs::copy_options::recursive);
    CHECK(exports.run(*exports.store) == 1);
    CHECK(exports.last.origins.at(0) == LayerOrigin::same_content);
    CHECK(exports.last.sent.blobs == 0);
    CHECK(exports.last.layers.at(0).descriptor.digest == first);
}

TEST_CASE("a tree that was moved is not read again") {
    Exports exports;
    exports.run(*exports.store);
    fs::rename(exports.tree, exports.directory.path() / "elsewhere");
    fs::rename(exports.directory.path() / "elsewhere", exports.tree);
    CHECK(exports.run(*exports.store) == 0);
}

TEST_CASE("whatever changes in a tree is noticed") {
    Exports exports;
    exports.run(*exports.store);
    const auto first = exports.last.layers.at(0).descriptor.digest;
    const auto changes = [&] {
        exports.settle();
        exports.run(*exports.store);
        return exports.last.layers.at(0).descriptor.digest != first;
    };
    SECTION("content of the same length, with the time put back") {
        struct stat before;
        const auto path = exports.tree / "a";
        REQUIRE(::stat(path.c_str(), &before) == 0);
        base::write_file(path, "CONTENT of a");
        const timespec times[2] = {before.st_atim, before.st_mtim};
        REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
        CHECK(changes());
    }
    SECTION("a file that is replaced") {
        base::write_file(exports.directory.path() / "new", "CONTENT of a");
        fs::rename(exports.directory.path() / "new", exports.tree / "a");
        CHECK(changes());
    }
    SECTION("a mode") {
        REQUIRE(::chmod((exports.tree / "a").c_str(), 0755) == 0);
        CHECK(changes());
    }
    SECTION("a directory's mode") {
        REQUIRE(::chmod((exports.tree / "b").c_str(), 0700) == 0);
        CHECK(changes());
    }
    SECTION("a name") {
        fs::rename(exports.tree / "b/c", exports.tree / "b/e");
        CHECK(changes());
    }
    SECTION("a file that is gone") {
        fs::remove(exports.tree / "b/c");
        CHECK(changes());
    }
    SECTION("a file more") {
        exports.write("new", "");
        CHECK(changes());
    }
    SECTION("a file that has become a second name of another") {
        exports.write("b/d", "content of a");
        exports.settle();
        exports.run(*exports.store);
        const auto apart = exports.last.layers.at(0).descriptor.digest;
        fs::remove(exports.tree / "b/d");
        fs::create_hard_link(exports.tree / "a", exports.tree / "b/d");
        exports.settle();
        exports.run(*exports.store);
        CHECK(exports.last.layers.at(0).descriptor.digest != apart);
    }
}

TEST_CASE("what was written a moment before the walk is read again by the next build") {
    Exports exports;
    auto listing = exports.list();
    LayerKey key = key_of({listing, image::select_all(listing), "app", {}}, {});
    CHECK(key.settled);
    do { // the machine may have been busy in between
        exports.write("a", "content of A");
        listing = exports.list();
    } while (listing.began() - listing.entry(1).changed > 10'000'000);
    key = key_of({listing, image::select_all(listing), "app", {}}, {});
    CHECK_FALSE(key.settled);
    LayerIndex index(exports.file, {});
    index.keep(key, {});
    index.commit();
    const LayerIndex again(exports.file, {});
    CHECK_FALSE(again.find_unchanged(key));
    CHECK(again.has_shape(key));
}

TEST_CASE("a layer that the target has lost is made again") {
    Exports exports;
    exports.run(*exports.store);
    const auto digest = exports.last.layers.at(0).descriptor.digest;
    fs::remove(exports.directory.path() / "layout/blobs/sha256" / digest.hex());
    CHECK(exports.run(*exports.store) == 1);
    CHECK(exports.last.sent.blobs == 1);
    CHECK(exports.store->find_missing({exports.last.layers.at(0).descriptor}, {}).empty());
    const auto other = image::open_oci_layout(exports.directory.path() / "other");
    CHECK(exports.run(*other) == 1);
    CHECK(other->find_missing({exports.last.layers.at(0).descriptor}, {}).empty());
}

TEST_CASE("a layer that the previous image names is not asked for") {
    Exports exports;
    exports.run(*exports.store);
    const auto layer = exports.last.layers.at(0);
    const auto previous = image::Image("amd64").with_layers({layer}, {{"before"}});
    LayerIndex index(exports.file, {});
    const auto listing = exports.list();
    const image::LayerFormat format{image::Compression::gzip, image::EntryOrder::by_path};
    const LayerPlan plan{.format = format,
                         .content = [](image::LayerWriter&) { throw std::logic_error("read"); },
                         .key = key_of({listing, image::select_all(listing), "app", {}}, format)};
    const auto empty = image::open_oci_layout(exports.directory.path() / "empty");
    const auto exported = export_layers({plan}, {*empty, &previous, index}, {});
    CHECK(exported.layers.at(0).descriptor.digest == layer.descriptor.digest);
}

TEST_CASE("another compression is another layer of the same content") {
    Exports exports;
    exports.run(*exports.store, image::Compression::gzip);
    const auto gzip = exports.last.layers.at(0);
    exports.run(*exports.store, image::Compression::zstd);
    CHECK(exports.last.sent.blobs == 1);
    CHECK(exports.last.layers.at(0).diff_id == gzip.diff_id);
    CHECK(exports.last.layers.at(0).descriptor.media_type == image::media_type::layer_zstd);
    CHECK(exports.run(*exports.store, image::Compression::gzip) == 0);
}

TEST_CASE("a damaged index is told once, and the layers are made anew") {
    Exports exports;
    exports.run(*exports.store);
    auto text = base::read_file(exports.file);
    text[text.find("\"diff_id\":\"sha256:") + 20] ^= 1; // still JSON, another digest
    base::write_file(exports.file, text);
    CHECK(exports.run(*exports.store) == 1);
    REQUIRE(exports.said.size() == 1);
    CHECK(exports.said[0].find("damaged") != std::string::npos);
    CHECK(exports.run(*exports.store) == 0);
    CHECK(exports.said.size() == 1);
    base::write_file(exports.file, "slipway layers 999 of a newer version");
    CHECK(exports.run(*exports.store) == 1);
    CHECK(exports.said.size() == 1);
}

TEST_CASE("the index keeps the layers that were used last, and no more than it may") {
    const base::TempDir directory("index");
    const auto known = [](std::size_t n) {
        const auto digest = image::Digest::of(std::to_string(n));
        return KnownLayer{{{std::string(image::media_type::layer_gzip), digest, n},
                           digest,
                           image::compressor_of(image::Compression::gzip)},
                          n};
    };
    for (std::size_t build = 0; build < 3; ++build) {
        LayerIndex index(directory.path() / "index", {});
        for (std::size_t n = build * 100; n < build * 100 + 100; ++n) index.keep({}, known(n));
        index.commit();
    }
    const LayerIndex index(directory.path() / "index", {});
    const auto has = [&](std::size_t n) {
        return index.find_content(known(n).layer.diff_id, {}) != nullptr;
    };
    CHECK(has(299));
    CHECK(has(100));
    CHECK(has(55));
    CHECK_FALSE(has(56)); // 256 fit: 200 of the last two builds, 56 of the first
}

TEST_CASE("layers are made several at a time and come back in the plan's order") {
    const base::TempDir directory("layers");
    const auto store = image::open_oci_layout(directory.path());
    std::vector<LayerPlan> plan;
    for (std::size_t n = 0; n < 12; ++n)
        plan.push_back({.content =
                            [n](image::LayerWriter& writer) {
                                writer.add_file("f", 0644, {}, std::string(n * 300'000, 'x'));
                            },
                        .size = n});
    LayerIndex index({}, {});
    const auto exported = export_layers(plan, {*store, nullptr, index}, {});
    REQUIRE(exported.layers.size() == 12);
    for (std::size_t n = 0; n < 12; ++n)
        CHECK(exported.layers[n].diff_id == image::hash_layer({}, plan[n].content).diff_id);
    CHECK(exported.sent.blobs == 12);
}

TEST_CASE("a layer whose content fails ends the export with its error") {
    const base::TempDir directory("layers");
    const auto store = image::open_oci_layout(directory.path());
    std::vector<LayerPlan> plan(6);
    for (auto& one : plan)
        one.content = [](image::LayerWriter&) {
            throw base::Error(base::ErrorKind::invalid_input, "no such file");
        };
    LayerIndex index({}, {});
    CHECK_THROWS_AS(export_layers(plan, {*store, nullptr, index}, {}), base::Error);
}

TEST_CASE("a target that fails is to blame, and not the app") {
    const base::TempDir directory("layers");
    const auto store = image::open_oci_layout(directory.path() / "layout");
    fs::remove_all(directory.path() / "layout");
    const LayerPlan plan{
        .content = [](image::LayerWriter& writer) { writer.add_file("f", 0644, {}, "content"); }};
    LayerIndex index({}, {});
    CHECK_THROWS_AS(export_layers({plan}, {*store, nullptr, index}, {}), TargetError);
    const LayerPlan bad{.content = [](image::LayerWriter&) {
        throw base::Error(base::ErrorKind::invalid_input, "a fifo");
    }};
    const auto whole = image::open_oci_layout(directory.path() / "whole");
    try {
        export_layers({bad}, {*whole, nullptr, index}, {});
        FAIL("a fifo was exported");
    } catch (const TargetError&) {
        FAIL("the target was blamed");
    } catch (const base::Error& error) {
        CHECK(error.message() == "a fifo");
    }
}
