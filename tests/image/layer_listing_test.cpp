#include "image/layer_listing.h"

#include "errors.h"
#include "image/layer_writer.h"
#include "unpacking.h"

#include <catch2/catch.hpp>

using Type = image::LayerEntry::Type;

namespace {

const image::LayerEntry& find(const image::LayerListing& listing, const std::string& path) {
    for (const auto& entry : listing.entries)
        if (entry.path == path) return entry;
    FAIL("no entry " << path);
    throw std::logic_error("FAIL returned");
}

} // namespace

TEST_CASE("a layer's entries are listed with all that a person could compare") {
    const base::TempDir directory("listing");
    const std::string big(300'000, 'b');
    for (const auto compression :
         {image::Compression::gzip, image::Compression::zstd, image::Compression::none}) {
        const auto written =
            image::write_layer_file(directory.path() / "layer", {.compression = compression},
                                    [&](image::LayerWriter& writer) {
                                        writer.add_directory("app", 0755, {1000, 1001});
                                        writer.add_file("app/big", 0644, {1000, 1001}, big);
                                        writer.add_file("app/run", 0755, {0, 0}, "#!/bin/sh\n");
                                        writer.add_symlink("app/there", "run", {7, 8});
                                    });
        const auto bytes = base::read_file(written.path);
        const auto listing = image::list_layer(source_of(bytes), {}, {});
        CHECK(listing.diff_id == written.layer.diff_id);
        CHECK(listing.entries.size() == 4);
        const auto& run = find(listing, "app/run");
        CHECK(run.type == Type::file);
        CHECK(run.mode == 0755);
        CHECK(run.size == 10);
        CHECK(run.content == image::Digest::of("#!/bin/sh\n"));
        CHECK(run.mtime == 315532801);
        const auto& large = find(listing, "app/big");
        CHECK(large.content == image::Digest::of(big));
        CHECK(large.uid == 1000);
        CHECK(large.gid == 1001);
        const auto& link = find(listing, "app/there");
        CHECK(link.type == Type::symlink);
        CHECK(link.target == "run");
        CHECK_FALSE(link.content.has_value());
        CHECK(find(listing, "app").type == Type::directory);
    }
}

TEST_CASE("a layer that is cut short or leads out of itself is no listing") {
    const base::TempDir directory("listing");
    const auto written = image::write_layer_file(
        directory.path() / "layer", {.compression = image::Compression::none},
        [&](image::LayerWriter& writer) {
            writer.add_file("a", 0644, {}, std::string(5000, 'a'));
        });
    const auto bytes = base::read_file(written.path).substr(0, 1500);
    CHECK(kind_of([&] { image::list_layer(source_of(bytes), {}, {}); }) ==
          base::ErrorKind::invalid_input);
    const auto small = base::read_file(written.path);
    CHECK(kind_of([&] { image::list_layer(source_of(small), {.bytes = 1000}, {}); }) ==
          base::ErrorKind::limit_exceeded);
}
