#include "image/unpack.h"

#include "image/layer_writer.h"
#include "skip.h"
#include "tar_builder.h"
#include "unpacking.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace fs = std::filesystem;
using image::RootDirectory;

TEST_CASE("a layer that we wrote comes back, with its diff id") {
    if (is_not_root()) return;
    const base::TempDir directory("unpack");
    const auto tree = directory.path() / "tree";
    fs::create_directories(tree / "bin");
    base::write_file(tree / "bin/run", "#!/bin/sh\n");
    ::chmod((tree / "bin/run").c_str(), 0755);
    base::write_file(tree / "\xc3\xbcnicode", std::string(3'000'000, 'u'));
    fs::create_symlink("run", tree / "bin/link");
    fs::create_hard_link(tree / "bin/run", tree / "bin/second");
    base::write_file(tree / std::string(200, 'n'), "long name");
    for (const auto compression :
         {image::Compression::gzip, image::Compression::zstd, image::Compression::none}) {
        const auto written =
            image::write_layer_file(directory.path() / "layer", {.compression = compression},
                                    [&](image::LayerWriter& writer) {
                                        writer.add_tree(tree, "app", {1000, 1001});
                                    });
        const auto target = directory.path() / "target";
        fs::remove_all(target);
        const auto unpacked = unpack_layer(base::read_file(directory.path() / "layer"), target);
        CHECK(unpacked.diff_id == written.layer.diff_id);
        CHECK(unpacked.stands_alone);
        const auto run = status_of(target / "app/bin/run");
        CHECK(run.st_uid == 1000);
        CHECK(run.st_gid == 1001);
        CHECK((run.st_mode & 07777) == 0755);
        CHECK(run.st_mtime == 315532801);
        CHECK(run.st_nlink == 2);
        CHECK(status_of(target / "app/bin").st_mtime == 315532801);
        CHECK(status_of(target / "app/bin/link").st_uid == 1000);
        CHECK(fs::read_symlink(target / "app/bin/link") == "run");
        CHECK(fs::file_size(target / "app/\xc3\xbcnicode") == 3'000'000);
        CHECK(base::read_file(target / "app" / std::string(200, 'n')) == "long name");
        CHECK(status_of(target / "app").st_mode == (S_IFDIR | 0755));
    }
}

TEST_CASE("whiteouts become what overlayfs understands") {
    if (is_not_root()) return;
    const base::TempDir directory("unpack");
    const auto target = directory.path() / "t";
    unpack_layer(TarBuilder()
                     .directory("etc")
                     .file("etc/.wh.gone", "")
                     .file(".wh.top", "")
                     .directory("var")
                     .file("var/new")
                     .file("var/.wh..wh..opq", "")
                     .file(".wh..wh.plnk", "")
                     .file("back/.wh.again", "")
                     .directory("back/again")
                     .finish(),
                 target);
    for (const char* name : {"etc/gone", "top"}) {
        const auto status = status_of(target / name);
        CHECK(S_ISCHR(status.st_mode));
        CHECK(status.st_rdev == makedev(0, 0));
    }
    char value[8] = {};
    CHECK(::getxattr((target / "var").c_str(), "user.overlay.opaque", value, sizeof value) == 1);
    CHECK(value[0] == 'y');
    CHECK(::getxattr((target / "etc").c_str(), "user.overlay.opaque", value, sizeof value) < 0);
    CHECK(base::read_file(target / "var/new") == "x");
    CHECK_FALSE(fs::exists(fs::symlink_status(target / ".wh..wh.plnk")));
    CHECK(fs::is_directory(target / "back/again"));
    CHECK(::getxattr((target / "back/again").c_str(), "user.overlay.opaque", value, sizeof value) ==
          1);
}

TEST_CASE("a whiteout after a directory of the same name leaves what the layer has in it") {
    if (is_not_root()) return;
    const base::TempDir directory("unpack");
    unpack_layer(TarBuilder()
                     .directory("d")
                     .file("d/new")
                     .file(".wh.d", "")
                     .file("f")
                     .file(".wh.f")
                     .finish(),
                 directory.path() / "t");
    char value = 0;
    CHECK(::getxattr((directory.path() / "t/d").c_str(), "user.overlay.opaque", &value, 1) == 1);
    CHECK(fs::exists(directory.path() / "t/d/new"));
    CHECK(fs::is_regular_file(directory.path() / "t/f"));
}

TEST_CASE("what aufs noted for itself is left out") {
    const base::TempDir directory("unpack");
    const auto target = directory.path() / "t";
    unpack_layer(TarBuilder()
                     .file(".wh..wh.plnk/123.456")
                     .directory(".wh..wh.orph/deep")
                     .file("kept")
                     .finish(),
                 target);
    CHECK(std::distance(fs::directory_iterator(target), fs::directory_iterator()) == 1);
}

// Either would make overlayfs hide what is below.
TEST_CASE("a layer cannot hide anything but by whiteouts of the specification") {
    if (is_not_root()) return;
    const base::TempDir directory("unpack");
    const auto tree = directory.path() / "tree", target = directory.path() / "t";
    fs::create_directories(tree / "d");
    REQUIRE(::setxattr((tree / "d").c_str(), "user.overlay.opaque", "y", 1, 0) == 0);
    REQUIRE(::mknod((tree / "gone").c_str(), S_IFCHR, makedev(0, 0)) == 0);
    const auto tar =
        packed_by({"tar", "--xattrs", "--xattrs-include=*", "-C", tree.string(), "-c", "."}, "");
    REQUIRE(tar.find("SCHILY.xattr.user.overlay.opaque") != tar.npos);
    unpack_layer(tar, target);
    char value = 0;
    CHECK(::getxattr((target / "d").c_str(), "user.overlay.opaque", &value, 1) < 0);
    CHECK_FALSE(fs::exists(fs::symlink_status(target / "gone")));
}

TEST_CASE("a layer that is refused is not waited for") {
    const base::TempDir directory("unpack");
    const auto refused = TarBuilder().file("../a", std::string(300'000, 'a')).finish();
    const auto endless = [&](const image::ByteSink& sink) {
        sink(refused);
        while (true) sink("x"); // never so much that a block is full
    };
    CHECK_THROWS_AS(image::unpack_layer(endless, directory.path(), image::LayersBelow{}, {}, {}),
                    base::Error);
}

TEST_CASE("what the source of a layer throws comes out, not that the layer ended too early") {
    const base::TempDir directory("unpack");
    const std::string tar = TarBuilder().file("a", std::string(2'000'000, 'a')).finish();
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, tar.size()}) {
        const auto broken = [&](const image::ByteSink& sink) {
            sink(std::string_view(tar).substr(0, size));
            throw base::Error(base::ErrorKind::unavailable, "the network is gone");
        };
        try {
            image::unpack_layer(broken, directory.path(), image::LayersBelow{}, {}, {});
            FAIL("nothing was thrown");
        } catch (const base::Error& error) {
            CHECK(error.message() == "the network is gone");
        }
    }
}

TEST_CASE("a layer keeps set-id bits and owners and loses devices") {
    if (is_not_root()) return;
    const base::TempDir directory("unpack");
    const auto target = directory.path() / "t";
    unpack_layer(TarBuilder()
                     .add({.name = "su", .content = "x", .mode = 04755, .uid = 3, .gid = 4})
                     .add({.name = "null", .type = '3'})
                     .add({.name = "pipe", .type = '6'})
                     .directory("tmp", 01777)
                     .finish(),
                 target);
    CHECK((status_of(target / "su").st_mode & 07777) == 04755);
    CHECK(status_of(target / "su").st_uid == 3);
    CHECK(status_of(target / "su").st_gid == 4);
    CHECK((status_of(target / "tmp").st_mode & 07777) == 01777);
    CHECK_FALSE(fs::exists(target / "null"));
    CHECK_FALSE(fs::exists(target / "pipe"));
}

TEST_CASE("links inside a layer are followed inside its directory alone") {
    const base::TempDir directory("unpack");
    const auto target = directory.path() / "t";
    fs::create_directories(directory.path() / "outside");
    const auto outside = (directory.path() / "outside").string();
    unpack_layer(TarBuilder()
                     .directory("usr/bin")
                     .symlink("bin", "usr/bin")
                     .file("bin/sh")
                     .symlink("absolute", "/usr/bin")
                     .file("absolute/env")
                     .directory("one/two")
                     .symlink("one/two/up", "../../../../../../usr/bin")
                     .file("one/two/up/awk")
                     .directory(outside)
                     .symlink("trap", outside)
                     .file("trap/inside")
                     .file("/leading/slash")
                     .finish(),
                 target);
    for (const char* name : {"sh", "env", "awk"}) CHECK(fs::exists(target / "usr/bin" / name));
    CHECK(fs::is_empty(directory.path() / "outside"));
    CHECK(fs::exists(target / outside.substr(1) / "inside"));
    CHECK(fs::exists(target / "leading/slash"));
}

TEST_CASE("a layer whose last block is not filled is read, one that is cut short is not") {
    const auto whole = TarBuilder().file("a", "12345").unfinished();
    const base::TempDir directory("unpack");
    for (const std::size_t size : {512u + 5, 512u + 100, 1024u}) {
        const auto target = directory.path() / std::to_string(size);
        const auto bytes = whole.substr(0, size);
        CHECK(unpack_layer(bytes, target).diff_id == image::Digest::of(bytes));
        CHECK(base::read_file(target / "a") == "12345");
    }
    for (const std::size_t size : {300u, 512u + 4})
        CHECK_THROWS_AS(unpack_layer(whole.substr(0, size), directory.path() / "cut"), base::Error);
}

TEST_CASE("hostile layers are refused and touch nothing outside") {
    struct Row {
        const char* what;
        std::string tar;
    };
    std::string deep;
    for (int i = 0; i < 129; ++i) deep += "d/";
    const base::TempDir directory("unpack");
    const auto victim = directory.path() / "victim";
    base::write_file(victim, "untouched");
    const auto out = directory.path().string();
    for (const Row& row : {
             Row{"dot dot", TarBuilder().file("../victim").finish()},
             Row{"dot dot inside", TarBuilder().file("a/../../victim").finish()},
             Row{"absolute dot dot", TarBuilder().file("/../victim").finish()},
             Row{"whiteout of dot dot", TarBuilder().file("a/.wh...", "").finish()},
             Row{"whiteout of dot", TarBuilder().file("a/.wh..", "").finish()},
             Row{"whiteout of nothing", TarBuilder().file("a/.wh.", "").finish()},
             Row{"below a whiteout", TarBuilder().file(".wh.a/b").finish()},
             Row{"below a whiteout of dot dot", TarBuilder().file("a/.wh.../b").finish()},
             Row{"hard link to a whiteout",
                 TarBuilder().file(".wh.a", "").hard_link("b", "a").finish()},
             Row{"hard link to a directory",
                 TarBuilder().directory("a").hard_link("b", "a").finish()},
             Row{"hard link to what comes later",
                 TarBuilder().hard_link("b", "a").file("a").finish()},
             Row{"escape in a name", TarBuilder().file("a\x1b[2J").finish()},
             Row{"line break in a name", TarBuilder().file("a\nb").finish()},
             Row{"too deep", TarBuilder().file(deep + "f").finish()},
             Row{"too long a part", TarBuilder().file(std::string(256, 'n')).finish()},
             Row{"hard link to the outside", TarBuilder().hard_link("x", "../victim").finish()},
             Row{"hard link to an absolute name",
                 TarBuilder().hard_link("x", out + "/victim").finish()},
             Row{"hard link through a link to the outside",
                 TarBuilder().symlink("d", out).hard_link("x", "d/victim").finish()},
             Row{"file below a file", TarBuilder().file("a").file("a/b").finish()},
             Row{"file below a dangling link",
                 TarBuilder().symlink("a", "nowhere").file("a/b").finish()},
             Row{"links in a circle",
                 TarBuilder().symlink("a", "b").symlink("b", "a").file("a/c").finish()},
             Row{"file over a directory", TarBuilder().directory("a").file("a").finish()},
             Row{"owner beyond the sandbox's",
                 TarBuilder().add({.name = "a", .uid = 65536}).finish()},
             Row{"cut in the middle of a file",
                 TarBuilder().announce("a", 5000).unfinished() + "abc"},
             Row{"cut in the middle of a header",
                 TarBuilder().file("a").unfinished().substr(0, 300)},
             Row{"more content than the limit",
                 TarBuilder().announce("a", 1ull << 32).unfinished()},
             Row{"no tar at all", std::string(5000, 'z')},
             Row{"damaged gzip", std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10) + "garbage!"},
             Row{"damaged zstd", std::string("\x28\xb5\x2f\xfd") + "garbage!"},
         }) {
        INFO(row.what);
        const base::TempDir target("target", directory.path());
        image::UnpackLimits limits;
        limits.bytes = 100u << 20;
        CHECK_THROWS_AS(unpack_layer(row.tar, target.path(), limits), base::Error);
        CHECK(base::read_file(victim) == "untouched");
        CHECK(status_of(victim).st_nlink == 1);
    }
}

TEST_CASE("a later entry of the same name takes the place of the earlier one, never its target") {
    const base::TempDir directory("unpack");
    base::write_file(directory.path() / "victim", "untouched");
    unpack_layer(TarBuilder()
                     .symlink("a", (directory.path() / "victim").string())
                     .file("a", "mine")
                     .file("b", "old")
                     .symlink("b", "a")
                     .hard_link("c", "a")
                     .file("c", "own")
                     .finish(),
                 directory.path() / "t");
    CHECK(base::read_file(directory.path() / "victim") == "untouched");
    CHECK(base::read_file(directory.path() / "t/a") == "mine");
    CHECK(fs::is_symlink(directory.path() / "t/b"));
    CHECK(base::read_file(directory.path() / "t/c") == "own");
}

TEST_CASE("bombs stop at the limits") {
    const base::TempDir directory("unpack");
    const std::string zeros = TarBuilder().file("zeros", std::string(90u << 20, '\0')).finish();
    const auto gzip = packed_by({"gzip", "-9c"}, zeros);
    const auto kind_of = [&](const std::string& bytes, image::UnpackLimits limits, bool source) {
        const base::TempDir target("target", directory.path());
        try {
            if (source)
                unpack_source(bytes, target.path(), RootDirectory::keep, limits);
            else
                unpack_layer(bytes, target.path(), limits);
        } catch (const base::Error& error) {
            return error.kind();
        }
        return base::ErrorKind::internal;
    };
    TarBuilder many;
    for (int i = 0; i < 50; ++i) many.file("f" + std::to_string(i));
    for (const bool source : {false, true}) {
        INFO(source);
        CHECK(kind_of(gzip, {.ratio = 100}, source) == base::ErrorKind::limit_exceeded);
        CHECK(kind_of(gzip, {.bytes = 10u << 20}, source) == base::ErrorKind::limit_exceeded);
        CHECK(kind_of(many.finish(), {.entries = 49}, source) == base::ErrorKind::limit_exceeded);
        CHECK(kind_of(many.finish(), {.entries = 50}, source) == base::ErrorKind::internal);
    }
}

TEST_CASE("a stop ends the unpacking") {
    const base::TempDir directory("unpack");
    base::StopSource source;
    const std::string tar = TarBuilder().file("a", std::string(5'000'000, 'a')).finish();
    const auto endless = [&](const image::ByteSink& sink) {
        source.request();
        while (true) sink(tar); // until nobody listens
    };
    try {
        image::unpack_layer(endless, directory.path(), image::LayersBelow{}, {}, source.stop());
        FAIL("nothing was thrown");
    } catch (const base::Error& error) {
        CHECK(error.kind() == base::ErrorKind::cancelled);
    }
}
