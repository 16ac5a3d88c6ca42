#include "image_files.h"

#include "errors.h"

#include "base/temp_dir.h"
#include "image/layer_writer.h"
#include "image/oci_layout.h"

#include <catch2/catch.hpp>

using cli::FileMap;
using image::LayerEntry;
using Type = LayerEntry::Type;

namespace {

LayerEntry file(const std::string& path, const std::string& content) {
    return {.type = Type::file,
            .path = path,
            .mode = 0644,
            .size = content.size(),
            .content = image::Digest::of(content)};
}

FileMap files(const std::vector<LayerEntry>& entries) {
    FileMap map;
    for (const auto& entry : entries) map[entry.path] = entry;
    return map;
}

// The one difference of a file that was changed.
cli::FileChange change(void (*alter)(LayerEntry&)) {
    auto after = file("app/a", "same");
    alter(after);
    const auto changes = cli::compare_files(files({file("app/a", "same")}), files({after}));
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].path == "app/a");
    return changes[0];
}

} // namespace

TEST_CASE("of a file that differs it is said what of it does") {
    CHECK(change([](LayerEntry& entry) { entry.mode = 0755; }).what == "mode");
    CHECK(change([](LayerEntry& entry) { entry.mode = 0755; }).after == "0755");
    CHECK(change([](LayerEntry& entry) { entry.uid = 5; }).what == "owner");
    CHECK(change([](LayerEntry& entry) { entry.mtime = 5; }).what == "time");
    CHECK(change([](LayerEntry& entry) { entry.type = Type::symlink; }).what == "type");
    CHECK(change([](LayerEntry& entry) { entry = file(entry.path, "longer"); }).what == "size");
    const auto content = change([](LayerEntry& entry) { entry = file(entry.path, "SAME"); });
    CHECK(content.what == "content");
    CHECK(content.before == image::Digest::of("same").render());
    CHECK(content.after == image::Digest::of("SAME").render());
}

TEST_CASE("files that one of them lacks are named, in the order of their paths") {
    const auto changes = cli::compare_files(files({file("b", "1"), file("c", "2")}),
                                            files({file("a", "3"), file("c", "2")}));
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].path == "a");
    CHECK(changes[0].what == "added");
    CHECK(changes[1].path == "b");
    CHECK(changes[1].what == "missing");
    CHECK(cli::compare_files(files({file("a", "1")}), files({file("a", "1")})).empty());
}

TEST_CASE("growth is told of the directories below what all paths have in common") {
    const auto before = files({file("layers/x/deps/lib/a", "12345"), file("layers/x/deps/b", "1")});
    const auto after = files({file("layers/x/deps/lib/a", "12345"), file("layers/x/deps/b", "12"),
                              file("layers/x/deps/doc/new/deep", "123456789")});
    const auto changes = cli::compare_directories(before, after);
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].directory == "/layers/x/deps/doc");
    CHECK(changes[0].before == 0);
    CHECK(changes[0].after == 9);
    CHECK(changes[1].directory == "/layers/x/deps/");
    CHECK(changes[1].after == 2);
    CHECK(cli::compare_directories(before, before).empty());
}

TEST_CASE("the files of layers are read as one tree, in which the later layer counts") {
    const base::TempDir directory("files");
    const auto store = image::open_oci_layout(directory.path());
    const auto write = [&](const std::string& content) {
        return image::store_layer(*store, {},
                                  [&](image::LayerWriter& writer) {
                                      writer.add_file("app/a", 0644, {}, content);
                                      writer.add_file("app/" + content, 0644, {}, "");
                                  },
                                  {})
            .layer;
    };
    const auto first = write("first"), second = write("second");
    const auto read = cli::read_files(*store, {first, second}, {});
    CHECK(read.at("app/a").content == image::Digest::of("second"));
    CHECK(read.contains("app/first"));
    CHECK(read.contains("app/second"));
    auto lying = first;
    lying.diff_id = second.diff_id;
    CHECK(kind_of([&] { cli::read_files(*store, {lying}, {}); }) == base::ErrorKind::invalid_input);
}
