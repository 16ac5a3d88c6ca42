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

TEST_CASE("a source archive of each kind gives the same files") {
    const base::TempDir directory("unpack");
    const std::string tar = TarBuilder()
                                .directory("app")
                                .file("app/run", "#!/bin/sh\n", 0700)
                                .file("app/data", "data", 0600)
                                .symlink("app/link", "run")
                                .hard_link("app/second", "app/data")
                                .finish();
    const auto zip = make_zip({{"app/", AE_IFDIR, 0700},
                               {"app/run", AE_IFREG, 0700, "#!/bin/sh\n"},
                               {"app/data", AE_IFREG, 0600, "data"},
                               {"app/link", AE_IFLNK, 0777, "run"},
                               {"app/second", AE_IFREG, 0600, "data"}},
                              directory);
    for (const auto& bytes : {tar, packed_by({"gzip", "-c"}, tar), packed_by({"zstd", "-c"}, tar),
                              packed_by({"xz", "-c"}, tar), zip}) {
        const base::TempDir target("target", directory.path());
        unpack_source(bytes, target.path());
        CHECK(base::read_file(target.path() / "app/run") == "#!/bin/sh\n");
        CHECK((status_of(target.path() / "app/run").st_mode & 07777) == 0755);
        CHECK((status_of(target.path() / "app/data").st_mode & 07777) == 0644);
        CHECK((status_of(target.path() / "app").st_mode & 07777) == 0755);
        CHECK(fs::read_symlink(target.path() / "app/link") == "run");
        CHECK(base::read_file(target.path() / "app/second") == "data");
        CHECK(status_of(target.path() / "app/run").st_uid == ::geteuid());
    }
}

TEST_CASE("one root directory is stripped when asked, and only then") {
    const base::TempDir directory("unpack");
    const auto one = TarBuilder().file("app/app/x").file("app/.git/config").finish();
    const auto two = TarBuilder().file("app/x").file("y").finish();
    const auto lone_file = TarBuilder().file("x").finish();
    unpack_source(one, directory.path() / "1", RootDirectory::strip_single);
    CHECK(fs::exists(directory.path() / "1/app/x"));
    CHECK_FALSE(fs::exists(directory.path() / "1/.git"));
    CHECK(std::distance(fs::directory_iterator(directory.path() / "1"), {}) == 1);
    unpack_source(one, directory.path() / "2", RootDirectory::keep);
    CHECK(fs::exists(directory.path() / "2/app/app/x"));
    unpack_source(two, directory.path() / "3", RootDirectory::strip_single);
    CHECK(fs::exists(directory.path() / "3/app/x"));
    unpack_source(lone_file, directory.path() / "4", RootDirectory::strip_single);
    CHECK(fs::exists(directory.path() / "4/x"));
}

TEST_CASE("a repository inside an upload is left out") {
    const base::TempDir directory("unpack");
    unpack_source(TarBuilder()
                      .file("./.git/hooks/post-checkout", "#!/bin/sh", 0755)
                      .file(".gitignore")
                      .file("sub/.git/config")
                      .finish(),
                  directory.path() / "t");
    CHECK_FALSE(fs::exists(directory.path() / "t/.git"));
    CHECK(fs::exists(directory.path() / "t/.gitignore"));
}

TEST_CASE("hostile uploads are refused and touch nothing outside") {
    const base::TempDir directory("unpack");
    const auto victim = directory.path() / "victim";
    base::write_file(victim, "untouched");
    const auto out = directory.path().string();
    struct Row {
        const char* what;
        std::string bytes;
    };
    for (const Row& row : {
             Row{"absolute name", TarBuilder().file(victim.string()).finish()},
             Row{"dot dot", TarBuilder().file("../victim").finish()},
             Row{"through a link to the outside",
                 TarBuilder().symlink("a", out).file("a/victim").finish()},
             Row{"through a link to the inside",
                 TarBuilder().directory("d").symlink("a", "d").file("a/x").finish()},
             Row{"through a chain of links", TarBuilder()
                                                 .directory("d")
                                                 .symlink("d/up", "..")
                                                 .symlink("d/up/over", "..")
                                                 .file("d/up/over/victim")
                                                 .finish()},
             Row{"hard link to the outside", TarBuilder().hard_link("a", "../victim").finish()},
             Row{"hard link to an absolute name",
                 TarBuilder().hard_link("a", victim.string()).finish()},
             Row{"hard link to what comes later",
                 TarBuilder().hard_link("a", "b").file("b").finish()},
             Row{"hard link into .git",
                 TarBuilder().file(".git/x").hard_link("a", ".git/x").finish()},
             Row{"character device", TarBuilder().add({.name = "a", .type = '3'}).finish()},
             Row{"fifo", TarBuilder().add({.name = "a", .type = '6'}).finish()},
             Row{"escape in a name", TarBuilder().file("a\x1b]52;c;x\x07").finish()},
             Row{"escape in a link", TarBuilder().symlink("a", "\x1b[2J").finish()},
             Row{"zip with dot dot", make_zip({{"../victim", AE_IFREG, 0644, "x"}}, directory)},
             Row{"zip with an absolute name",
                 make_zip({{victim.string(), AE_IFREG, 0644, "x"}}, directory)},
             Row{"zip through a link",
                 make_zip({{"a", AE_IFLNK, 0777, out}, {"a/victim", AE_IFREG, 0644, "x"}},
                          directory)},
             Row{"nothing", ""},
             Row{"text", "hello, this is no archive"},
             Row{"cut gzip",
                 packed_by({"gzip", "-c"}, TarBuilder().file("a", std::string(9000, 'a')).finish())
                     .substr(0, 60)},
             Row{"compress", std::string("\x1f\x9d\x90") + std::string(600, 'x')},
             Row{"cpio", "070701" + std::string(600, '0')},
         }) {
        INFO(row.what);
        const base::TempDir target("target", directory.path());
        CHECK_THROWS_AS(unpack_source(row.bytes, target.path()), base::Error);
        CHECK(base::read_file(victim) == "untouched");
        CHECK(status_of(victim).st_nlink == 1);
    }
}

TEST_CASE("an upload's set-id bits are dropped and its outward links stay links") {
    const base::TempDir directory("unpack");
    unpack_source(TarBuilder().file("su", "x", 06755).symlink("passwd", "/etc/passwd").finish(),
                  directory.path() / "t");
    CHECK((status_of(directory.path() / "t/su").st_mode & 07777) == 0755);
    CHECK(fs::read_symlink(directory.path() / "t/passwd") == "/etc/passwd");
}
