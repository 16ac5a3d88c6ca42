#include "image/layer_writer.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using image::Compression;
using image::EntryOrder;

namespace {

// Names of each kind that the format treats apart.
void make_tree(const fs::path& root) {
    fs::create_directories(root / "a/x");
    fs::create_directories(root / "a-b");
    base::write_file(root / "a/x/run", "#!/bin/sh\n", 0755);
    ::chmod((root / "a/x/run").c_str(), 0755);
    base::write_file(root / "a.txt", "text\n");
    base::write_file(root / "empty", "");
    base::write_file(root / "\xc3\xbc", "not ASCII");
    const auto deep = root / std::string(60, 'd') / std::string(60, 'e') / std::string(60, 'f');
    fs::create_directories(deep);
    base::write_file(deep / std::string(120, 'g'), "a long name");
    fs::create_symlink("a/x/run", root / "link");
    fs::create_symlink(std::string(120, 't'), root / "long-link");
    fs::create_symlink("/etc/passwd", root / "outward");
    for (const char* path : {"a", "a/x", "a-b"}) ::chmod((root / path).c_str(), 0755);
    for (const char* path : {"a.txt", "empty", "\xc3\xbc"}) ::chmod((root / path).c_str(), 0644);
    ::chmod((deep / std::string(120, 'g')).c_str(), 0644);
    for (auto up = deep; up != root; up = up.parent_path()) ::chmod(up.c_str(), 0755);
    ::chmod(root.c_str(), 0755);
}

image::WrittenLayer write(const fs::path& tree, const fs::path& to,
                          Compression compression = Compression::gzip,
                          EntryOrder order = EntryOrder::depth_first) {
    return image::write_layer_file(to, {.compression = compression, .order = order},
                                   [&](image::LayerWriter& writer) {
                                       writer.add_tree(tree, "layers/some_pack/deps", {1000, 1001});
                                   });
}

void write_tar(const fs::path& to, const image::LayerContent& content,
               EntryOrder order = EntryOrder::depth_first) {
    image::write_layer_file(to, {.compression = Compression::none, .order = order}, content);
}

image::LayerContent tree_at(fs::path path) {
    return
        [path = std::move(path)](image::LayerWriter& writer) { writer.add_tree(path, "app", {}); };
}

std::string list(const fs::path& tar) {
    const auto result = base::run({.argv = {"tar", "--numeric-owner", "--absolute-names",
                                            "--full-time", "--utc", "-tvf", tar.string()},
                                   .environment = base::minimal_environment({"TZ=UTC"})},
                                  {});
    INFO(result.error);
    REQUIRE(result.status.ok());
    return result.output;
}

std::vector<std::string> names_in(const fs::path& tar) {
    const auto result = base::run(
        {.argv = {"tar", "--absolute-names", "--quoting-style=literal", "-tf", tar.string()},
         .environment = base::minimal_environment()},
        {});
    REQUIRE(result.status.ok());
    std::vector<std::string> names;
    base::LineSplitter lines([&](std::string_view line) { names.emplace_back(line); });
    lines.feed(result.output);
    lines.finish();
    return names;
}

} // namespace

// Golden: these bytes are an agreement with every image made before and on every other machine.
// The tar's digests are those of Go's archive/tar for the same tree.
TEST_CASE("the same tree is the same layer on every machine") {
    const base::TempDir directory("layer");
    make_tree(directory.path() / "tree");
    const auto gzip = write(directory.path() / "tree", directory.path() / "gzip");
    CHECK(gzip.layer.diff_id.render() ==
          "sha256:b5ffb8b8dfc6ec89c66e0cfee18db05c519d6dfccbcfdbded4ff94e943e55071");
    CHECK(gzip.layer.descriptor.digest.render() ==
          "sha256:88dd0f28e4c0ddcea903dd6b929119d1f7d67a031d49ab9dabebdcd46c04bbc6");
    const auto zstd =
        write(directory.path() / "tree", directory.path() / "zstd", Compression::zstd);
    CHECK(zstd.layer.diff_id == gzip.layer.diff_id);
    CHECK(zstd.layer.descriptor.digest.render() ==
          "sha256:bc0ee5f9352ac0ced29842bad919ebee38d310c01731d9d7a592d5e45d6349a4");
    const auto sorted = write(directory.path() / "tree", directory.path() / "sorted",
                              Compression::none, EntryOrder::by_path);
    CHECK(sorted.layer.diff_id.render() ==
          "sha256:3653d186fc0fa80ce2f9f5c029f818f1b4fdc861e0eb697eae88d9a0506d4723");
}

TEST_CASE("times and places of the files do not change a layer") {
    const base::TempDir directory("layer");
    make_tree(directory.path() / "one");
    make_tree(directory.path() / "elsewhere");
    const timespec times[2] = {{86400, 0}, {86400, 0}};
    ::utimensat(AT_FDCWD, (directory.path() / "one/a.txt").c_str(), times, 0);
    const auto one = write(directory.path() / "one", directory.path() / "1");
    const auto two = write(directory.path() / "elsewhere", directory.path() / "2");
    CHECK(one.layer.descriptor.digest == two.layer.descriptor.digest);
    CHECK(one.layer.diff_id == two.layer.diff_id);
}

TEST_CASE("what is reported is what was written") {
    const base::TempDir directory("layer");
    make_tree(directory.path() / "tree");
    for (const auto compression : {Compression::gzip, Compression::zstd, Compression::none}) {
        const auto path = directory.path() / "layer";
        const auto written = write(directory.path() / "tree", path, compression);
        CHECK(written.path == path);
        CHECK(image::digest_of_file(path) == written.layer.descriptor.digest);
        CHECK(fs::file_size(path) == written.layer.descriptor.size);
        const char* tool = compression == Compression::gzip   ? "gzip"
                           : compression == Compression::zstd ? "zstd"
                                                              : "cat";
        std::vector<std::string> argv{tool, "-dc", path.string()};
        if (compression == Compression::none) argv.erase(argv.begin() + 1);
        const auto plain =
            base::run({.argv = argv, .environment = base::minimal_environment()}, {});
        REQUIRE(plain.status.ok());
        CHECK(image::Digest::of(plain.output) == written.layer.diff_id);
        CHECK(plain.output.size() == written.uncompressed);
    }
}

TEST_CASE("entries have fixed times, given owners, and parents of root") {
    const base::TempDir directory("layer");
    write_tar(directory.path() / "tar", [](image::LayerWriter& writer) {
        writer.add_file("cnb/app/file", 04755, {1000, 1001}, "x");
        writer.add_symlink("cnb/app/link", "/target", {0, 0}, 0755);
        writer.add_directory("cnb/z", 01700, {5, 6});
    });
    CHECK(list(directory.path() / "tar") ==
          "drwxr-xr-x 0/0               0 1980-01-01 00:00:01 /cnb\n"
          "drwxr-xr-x 0/0               0 1980-01-01 00:00:01 /cnb/app\n"
          "-rwxr-xr-x 1000/1001         1 1980-01-01 00:00:01 /cnb/app/file\n"
          "lrwxr-xr-x 0/0               0 1980-01-01 00:00:01 /cnb/app/link -> /target\n"
          "drwx------ 5/6               0 1980-01-01 00:00:01 /cnb/z\n");
}

TEST_CASE("the two orders differ where the lifecycle's do") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "t/a");
    for (const char* name : {"a/x", "a-b", "a.txt", "b"})
        base::write_file(directory.path() / "t" / name, "");
    for (const auto& [order, expected] :
         {std::pair{EntryOrder::depth_first,
                    std::vector<std::string>{"/t", "/t/a", "/t/a/x", "/t/a-b", "/t/a.txt", "/t/b"}},
          std::pair{EntryOrder::by_path, std::vector<std::string>{"/t", "/t/a", "/t/a-b",
                                                                  "/t/a.txt", "/t/a/x", "/t/b"}}}) {
        write_tar(
            directory.path() / "tar",
            [&](image::LayerWriter& writer) { writer.add_tree(directory.path() / "t", "t", {}); },
            order);
        auto names = names_in(directory.path() / "tar");
        for (auto& name : names)
            if (name.ends_with('/')) name.pop_back();
        CHECK(names == expected);
    }
}

TEST_CASE("a file with two names is there once, its first name being the file") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "t");
    base::write_file(directory.path() / "t/b", std::string(100000, 'b'));
    fs::create_hard_link(directory.path() / "t/b", directory.path() / "t/a");
    const auto written = write(directory.path() / "t", directory.path() / "tar", Compression::none);
    CHECK(written.uncompressed < 110000);
    CHECK(list(directory.path() / "tar").find("deps/b link to /layers/some_pack/deps/a\n") !=
          std::string::npos);
}

TEST_CASE("what a caller leaves out is left out with all below it") {
    const base::TempDir directory("layer");
    make_tree(directory.path() / "tree");
    for (const auto order : {EntryOrder::depth_first, EntryOrder::by_path}) {
        write_tar(
            directory.path() / "tar",
            [&](image::LayerWriter& writer) {
                writer.add_tree(directory.path() / "tree", "app", {},
                                [](std::string_view relative) { return relative != "a"; });
            },
            order);
        for (const auto& name : names_in(directory.path() / "tar"))
            CHECK_FALSE((name == "/app/a/" || name.starts_with("/app/a/")));
    }
}

TEST_CASE("devices, sockets and fifos are refused by name") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "t/sub");
    REQUIRE(::mkfifo((directory.path() / "t/sub/pipe").c_str(), 0600) == 0);
    try {
        write_tar(directory.path() / "tar", tree_at(directory.path() / "t"));
        FAIL("a fifo was taken");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        CHECK(error.message().find("sub/pipe") != std::string::npos);
    }
}

TEST_CASE("a tree that is a link is not followed") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "real");
    fs::create_directory_symlink(directory.path() / "real", directory.path() / "link");
    CHECK_THROWS_AS(write_tar(directory.path() / "tar", tree_at(directory.path() / "link")),
                    base::Error);
}

// Files below /proc say that they are empty and are not: to a reader they grow under its hands.
TEST_CASE("a file that changes its size while it is read is an error") {
    const base::TempDir directory("layer");
    try {
        write_tar(directory.path() / "tar", tree_at("/proc/sys/kernel/random"));
        FAIL("a growing file was taken");
    } catch (const base::Error& error) {
        CHECK(error.message().find("changed while it was read") != std::string::npos);
    }
}

TEST_CASE("a full disk is an error that says so, and leaves no file") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "t");
    base::write_file(directory.path() / "t/big", std::string(20u << 20, 'x'));
    fs::create_symlink("/dev/full", directory.path() / "tar");
    try {
        write_tar(directory.path() / "tar", tree_at(directory.path() / "t"));
        FAIL("a full disk took a layer");
    } catch (const base::Error& error) {
        INFO(error.describe());
        CHECK(error.message().find("No space left") != std::string::npos);
        CHECK(error.hint().find("space") != std::string::npos);
    }
    CHECK_FALSE(fs::exists(fs::symlink_status(directory.path() / "tar")));
}

TEST_CASE("whoever takes the bytes and fails ends the layer with that error") {
    const auto content = [](image::LayerWriter& writer) {
        writer.add_file("a", 0644, {}, std::string(20u << 20, 'x'));
    };
    for (const auto compression : {Compression::gzip, Compression::none}) {
        int calls = 0;
        CHECK_THROWS_AS(image::write_layer({.compression = compression}, content,
                                           [&](std::string_view) {
                                               if (++calls == 1) throw std::out_of_range("full");
                                           }),
                        std::out_of_range);
    }
}

TEST_CASE("content that fails in the middle ends the layer with that error, and leaves no file") {
    const base::TempDir directory("layer");
    CHECK_THROWS_AS(write_tar(directory.path() / "tar",
                              [](image::LayerWriter& writer) {
                                  writer.add_file("a", 0644, {}, std::string(10u << 20, 'x'));
                                  throw std::out_of_range("gone");
                              }),
                    std::out_of_range);
    CHECK_FALSE(fs::exists(directory.path() / "tar"));
}

TEST_CASE("names that are out of order or no names are a mistake of the caller") {
    const base::TempDir directory("layer");
    const auto add_after_b = [&](const char* name) {
        write_tar(directory.path() / "tar", [&](image::LayerWriter& writer) {
            writer.add_file("b", 0644, {}, "");
            writer.add_file(name, 0644, {}, "");
        });
    };
    for (const char* name : {"a", "b", "", "/c", "c/", "c//d", "c/../d", "./c"}) {
        INFO(name);
        CHECK_THROWS_AS(add_after_b(name), base::Error);
    }
    CHECK_NOTHROW(add_after_b("c"));
}

TEST_CASE("hashing a layer without writing it gives the diff id of the one that is written") {
    const base::TempDir directory("layer");
    make_tree(directory.path() / "t");
    base::write_file(directory.path() / "t/big", std::string(5'000'000, 'b'));
    const auto content = tree_at(directory.path() / "t");
    const auto written = image::write_layer_file(directory.path() / "gzip", {}, content);
    const auto hashed = image::hash_layer({}, content);
    CHECK(hashed.diff_id == written.layer.diff_id);
    CHECK(hashed.size == written.uncompressed);
}

TEST_CASE("a layer says what compressed it") {
    const base::TempDir directory("layer");
    const auto content = [](image::LayerWriter& writer) { writer.add_file("a", 0644, {}, "a"); };
    for (const auto& [compression, library] :
         {std::pair{Compression::gzip, "ISA-L 2."}, std::pair{Compression::zstd, "zstd 1."},
          std::pair{Compression::none, ""}}) {
        const auto written = image::write_layer_file(directory.path() / "layer",
                                                     {.compression = compression}, content);
        CHECK(written.layer.compressor == image::compressor_of(compression));
        CHECK(written.layer.compressor.starts_with(library));
        CHECK(written.layer.compressor.empty() == (compression == Compression::none));
    }
}

TEST_CASE("a file that was written to after it was listed does not become part of a layer") {
    const base::TempDir directory("layer");
    fs::create_directories(directory.path() / "t");
    base::write_file(directory.path() / "t/file", "one");
    const auto listing = image::TreeListing::read(directory.path() / "t", EntryOrder::depth_first);
    base::write_file(directory.path() / "t/new", "replaces it, of the same length");
    base::write_file(directory.path() / "t/new", "two");
    fs::rename(directory.path() / "t/new", directory.path() / "t/file");
    CHECK_THROWS_AS(image::hash_layer({},
                                      [&](image::LayerWriter& writer) {
                                          writer.add_listed(listing, image::select_all(listing),
                                                            "t", {});
                                      }),
                    base::Error);
}

TEST_CASE("an existing tar becomes a layer unchanged") {
    const base::TempDir directory("layer");
    std::string tar(5'000'000, '\0');
    for (std::size_t i = 0; i < tar.size(); i += 3) tar[i] = static_cast<char>(i * 31);
    base::write_file(directory.path() / "in.tar", tar);
    const auto written = image::layer_from_tar(directory.path() / "in.tar",
                                               directory.path() / "out", Compression::gzip, {});
    CHECK(written.layer.diff_id == image::Digest::of(tar));
    CHECK(written.layer.descriptor.media_type == image::media_type::layer_gzip);
    CHECK(image::digest_of_file(directory.path() / "out") == written.layer.descriptor.digest);
    base::StopSource source;
    source.request();
    CHECK_THROWS_AS(image::layer_from_tar(directory.path() / "in.tar", directory.path() / "out",
                                          Compression::gzip, source.stop()),
                    base::Error);
}
