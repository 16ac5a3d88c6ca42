// What strangers send instead of a source: each line of the threat table is refused by name or
// comes out harmless, and touches nothing outside of its directory.
#include "image/unpack.h"

#include "tar_builder.h"
#include "unpacking.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <optional>

namespace fs = std::filesystem;
using base::ErrorKind;
using image::RootDirectory;

namespace {

struct Verdict {
    std::optional<ErrorKind> kind; // empty: it was unpacked
    std::string message, hint;
};

// Beside a victim, which must be as it was afterwards.
struct Ground {
    base::TempDir directory{"hostile"};
    fs::path victim = directory.path() / "victim";

    Ground() { base::write_file(victim, "untouched"); }
    std::string outside() const { return directory.path().string(); }

    Verdict unpack(const std::string& bytes, const image::UnpackLimits& limits = {}) {
        Verdict verdict;
        const auto target = directory.path() / "target";
        base::remove_tree(target);
        try {
            unpack_source(bytes, target, RootDirectory::keep, limits);
        } catch (const base::Error& error) {
            verdict = {error.kind(), error.message(), error.hint()};
        }
        CHECK(base::read_file(victim) == "untouched");
        CHECK(status_of(victim).st_nlink == 1);
        CHECK(status_of(victim).st_uid == ::geteuid());
        return verdict;
    }
    fs::path operator/(const std::string& name) const { return directory.path() / "target" / name; }
};

const image::UnpackLimits named{.bytes = 64u << 20,
                                .entries = 1000,
                                .ratio = 100,
                                .names = {.bytes = "limit.bytes",
                                          .entries = "limit.entries",
                                          .ratio = "limit.ratio",
                                          .depth = "limit.depth"}};

// A field of a header that was written already, and the sum that goes with it.
std::string with_field(std::string tar, std::size_t at, unsigned long long value) {
    char digits[32] = {};
    std::snprintf(digits, sizeof digits, "%011llo", value);
    tar.replace(at, 12, digits, 12);
    tar.replace(148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[i]);
    std::snprintf(digits, sizeof digits, "%06o", sum);
    return tar.replace(148, 7, digits, 7);
}

std::string pax(const std::string& key, const std::string& value) {
    const auto rest = " " + key + "=" + value + "\n";
    auto size = rest.size();
    while (std::to_string(size).size() + rest.size() != size)
        size = std::to_string(size).size() + rest.size();
    return std::to_string(size) + rest;
}

void put_little_endian(std::string& bytes, std::size_t at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i)
        bytes.at(at + static_cast<std::size_t>(i)) = static_cast<char>(value >> (8 * i));
}

// Of its only entry: in the directory at the zip's end, or before its content, too.
enum class Lie { in_directory, everywhere };
std::string with_size(std::string zip, std::uint32_t size, Lie lie) {
    put_little_endian(zip, zip.rfind("PK\1\2") + 24, size);
    if (lie == Lie::everywhere) put_little_endian(zip, zip.find("PK\3\4") + 22, size);
    return zip;
}

} // namespace

TEST_CASE("names and links that lead out are refused, whatever their spelling") {
    Ground ground;
    const auto out = ground.outside();
    const auto absolute = ground.victim.string();
    struct Row {
        const char* what;
        std::string bytes;
    };
    for (const Row& row : {
             Row{"relative", TarBuilder().file("../victim").finish()},
             Row{"relative further in", TarBuilder().file("a/b/../../../victim").finish()},
             Row{"relative at its end", TarBuilder().directory("a/..").finish()},
             Row{"relative with a dot", TarBuilder().file("./../victim").finish()},
             Row{"absolute", TarBuilder().file(absolute).finish()},
             Row{"absolute with two slashes", TarBuilder().file("/" + absolute).finish()},
             Row{"a linked directory", TarBuilder().symlink("d", out).file("d/victim").finish()},
             Row{"a linked directory by dots",
                 TarBuilder().symlink("d", "..").file("d/victim").finish()},
             Row{"a linked directory with a slash",
                 TarBuilder().symlink("d", "../").file("d//victim").finish()},
             Row{"a chain of linked directories",
                 TarBuilder().symlink("a", ".").symlink("a/b", "..").file("a/b/victim").finish()},
             Row{"a directory over a link",
                 TarBuilder().symlink("d", out).directory("d/").file("d/../victim").finish()},
             Row{"a hard link by dots", TarBuilder().hard_link("a", "../victim").finish()},
             Row{"an absolute hard link", TarBuilder().hard_link("a", absolute).finish()},
             Row{"a hard link with content",
                 TarBuilder()
                     .add({.name = "a", .type = '1', .content = "changed", .link = absolute})
                     .finish()},
             Row{"a hard link through a link",
                 TarBuilder().symlink("d", out).hard_link("a", "d/victim").finish()},
             Row{"a hard link to a directory",
                 TarBuilder().directory("d").hard_link("a", "d").finish()},
         }) {
        INFO(row.what);
        CHECK(ground.unpack(row.bytes).kind == ErrorKind::invalid_input);
    }
}

TEST_CASE("a file in the place of its own link is the file") {
    Ground ground;
    CHECK_FALSE(ground
                    .unpack(TarBuilder()
                                .symlink("a", ground.victim.string())
                                .file("a", "mine")
                                .symlink("b", ground.victim.string())
                                .hard_link("c", "b")
                                .file("c", "mine, too")
                                .finish())
                    .kind);
    CHECK(base::read_file(ground / "a") == "mine");
    CHECK(base::read_file(ground / "c") == "mine, too");
}

TEST_CASE("devices, pipes and sockets are refused by name") {
    Ground ground;
    for (const char type : {'3', '4', '6'}) {
        const auto verdict =
            ground.unpack(TarBuilder().add({.name = "dev/thing", .type = type}).finish());
        CHECK(verdict.kind == ErrorKind::invalid_input);
        CHECK_THAT(verdict.message, Catch::Contains("dev/thing"));
    }
}

TEST_CASE("modes and owners of an upload are ours") {
    Ground ground;
    CHECK_FALSE(ground
                    .unpack(TarBuilder()
                                .add({.name = "su", .mode = 07777, .uid = 12, .gid = 13})
                                .add({.name = "none", .mode = 0})
                                .directory("d", 07777)
                                .file("closed/x", "x", 0600)
                                .directory("closed", 0)
                                .finish())
                    .kind);
    CHECK((status_of(ground / "su").st_mode & 07777) == 0755);
    CHECK((status_of(ground / "none").st_mode & 07777) == 0644);
    CHECK((status_of(ground / "d").st_mode & 07777) == 0755);
    CHECK((status_of(ground / "closed").st_mode & 07777) == 0755);
    CHECK(status_of(ground / "su").st_uid == ::geteuid());
}

TEST_CASE("bombs of every compression stop at the ratio, and at the bytes") {
    Ground ground;
    const std::string zeros(90u << 20, '\0');
    const auto tar = TarBuilder().file("zeros", zeros).finish();
    const auto gzip = packed_by({"gzip", "-9c"}, tar);
    struct Row {
        const char* what;
        std::string bytes;
    };
    for (const Row& row : {
             Row{"gzip", gzip},
             Row{"zstd", packed_by({"zstd", "-19c"}, tar)},
             Row{"xz", packed_by({"xz", "-0c"}, tar)},
             Row{"gzip in gzip", packed_by({"gzip", "-9c"}, gzip)},
             Row{"gzip in xz", packed_by({"xz", "-0c"}, gzip)},
             Row{"zip", make_zip({{"zeros", AE_IFREG, 0644, zeros}}, ground.directory)},
         }) {
        INFO(row.what);
        auto limits = named;
        limits.bytes = 1u << 30;
        auto verdict = ground.unpack(row.bytes, limits);
        CHECK(verdict.kind == ErrorKind::limit_exceeded);
        CHECK_THAT(verdict.message, Catch::Contains("grows more than 100 times"));
        CHECK_THAT(verdict.hint, Catch::Contains("limit.ratio"));
        limits.bytes = 10u << 20;
        verdict = ground.unpack(row.bytes, limits);
        CHECK(verdict.kind == ErrorKind::limit_exceeded);
        CHECK_THAT(verdict.message, Catch::Contains("content is larger than 10"));
        CHECK_THAT(verdict.hint, Catch::Contains("limit.bytes"));
    }
}

TEST_CASE("holes count as the bytes that they would be") {
    Ground ground;
    // GNU's old form and the one of pax, 8 GiB each.
    const auto old =
        with_field(TarBuilder().add({.name = "sparse", .type = 'S'}).unfinished(), 483, 8ull << 30);
    const auto records =
        pax("GNU.sparse.major", "0") + pax("GNU.sparse.minor", "1") +
        pax("GNU.sparse.name", "sparse") + pax("GNU.sparse.size", std::to_string(8ull << 30)) +
        pax("GNU.sparse.numblocks", "1") + pax("GNU.sparse.map", std::to_string(8ull << 30) + ",0");
    const auto modern =
        TarBuilder().add({.name = "p", .type = 'x', .content = records}).file("f", "").finish();
    for (const auto& bytes : {old + std::string(1024, '\0'), modern}) {
        const auto verdict = ground.unpack(bytes, named);
        CHECK(verdict.kind == ErrorKind::limit_exceeded);
        CHECK_THAT(verdict.hint, Catch::Contains("limit.bytes"));
    }
}

TEST_CASE("a size that is announced is refused before it is read") {
    Ground ground;
    CHECK(ground.unpack(TarBuilder().announce("a", 7ull << 30).unfinished(), named).kind ==
          ErrorKind::limit_exceeded);
    // Of an extended header: it would have to be held in memory.
    const auto huge =
        with_field(TarBuilder().add({.name = "p", .type = 'x'}).unfinished(), 124, 3ull << 30);
    CHECK(ground.unpack(huge + std::string(2u << 20, 'x'), named).kind.has_value());
}

TEST_CASE("a zip that lies about its sizes is refused") {
    Ground ground;
    const auto honest =
        make_zip({{"a", AE_IFREG, 0644, std::string(100'000, 'a')}}, ground.directory);
    REQUIRE_FALSE(ground.unpack(honest).kind);
    for (const std::uint32_t size : {0u, 10u, 99'999u, 200'000u, 0x7fffffffu, 0xfffffffeu}) {
        INFO(size);
        CHECK(ground.unpack(with_size(honest, size, Lie::everywhere), named).kind.has_value());
        CHECK(ground.unpack(with_size(honest, size, Lie::in_directory), named).kind.has_value());
    }
    CHECK(ground.unpack(honest.substr(0, honest.size() - 30), named).kind.has_value());
    CHECK(ground.unpack(honest.substr(0, 200), named).kind.has_value());
}

TEST_CASE("a zip made where backslashes part names leads nowhere either") {
    Ground ground;
    auto zip = make_zip({{"..\\victim", AE_IFREG, 0644, "changed"}}, ground.directory);
    zip.at(zip.rfind("PK\1\2") + 5) = 0; // made by MS-DOS
    ground.unpack(zip);
    CHECK_FALSE(fs::exists(ground.directory.path() / "target/../changed"));
}

TEST_CASE("many entries are refused, those that nobody wrote down too") {
    Ground ground;
    TarBuilder files;
    for (int i = 0; i < 1001; ++i) files.file("f" + std::to_string(i), "");
    auto verdict = ground.unpack(files.finish(), named);
    CHECK(verdict.kind == ErrorKind::limit_exceeded);
    CHECK_THAT(verdict.message, Catch::Contains("more than 1000 entries"));
    CHECK_THAT(verdict.hint, Catch::Contains("limit.entries"));

    // A hundred directories for each name.
    TarBuilder implied;
    std::string below;
    for (int i = 0; i < 100; ++i) below += "/d";
    for (int i = 0; i < 20; ++i) implied.file(std::to_string(i) + below + "/f", "");
    verdict = ground.unpack(implied.finish(), named);
    CHECK(verdict.kind == ErrorKind::limit_exceeded);
    CHECK_THAT(verdict.hint, Catch::Contains("limit.entries"));
}

TEST_CASE("1,500 directories in one another are refused by name of the limit") {
    Ground ground;
    std::string deep;
    TarBuilder stepwise;
    for (int i = 0; i < 1500; ++i) {
        deep += "d/";
        if (i < 200) stepwise.directory(deep);
    }
    for (const auto& bytes : {TarBuilder().file(deep + "f").finish(), stepwise.finish()}) {
        const auto verdict = ground.unpack(bytes, named);
        CHECK(verdict.kind == ErrorKind::limit_exceeded);
        CHECK_THAT(verdict.message, Catch::Contains("deeper than 128"));
        CHECK_THAT(verdict.hint, Catch::Contains("limit.depth"));
    }
    auto limits = named;
    limits.depth = 3;
    CHECK(ground.unpack(TarBuilder().file("a/b/c/d").finish(), limits).kind.has_value());
    CHECK_FALSE(ground.unpack(TarBuilder().file("a/b/c").finish(), limits).kind);
}

TEST_CASE("control characters in names are refused and not shown as they are") {
    Ground ground;
    for (const std::string name :
         {"a\x1b[2J", "a\nb", "a\rb", "a\tb", "a\x7f", "a\x01", "\x1b]52;c;x\x07"}) {
        const auto verdict = ground.unpack(TarBuilder().file(name).finish());
        CHECK(verdict.kind == ErrorKind::invalid_input);
        CHECK(verdict.message.find_first_of("\x1b\n\r\x07\x01") == std::string::npos);
    }
    CHECK(ground.unpack(TarBuilder().symlink("a", "b\nc").finish()).kind.has_value());
    CHECK(ground.unpack(TarBuilder().file(std::string(256, 'n')).finish()).kind.has_value());
}

TEST_CASE("a planted repository does not arrive, in whatever archive") {
    Ground ground;
    const auto tar = TarBuilder()
                         .directory(".git")
                         .file(".git/config", "[core]\n\tfsmonitor = \"touch /tmp/x\"\n")
                         .file(".git/hooks/post-checkout", "#!/bin/sh\n", 0755)
                         .file("kept")
                         .finish();
    const auto zip =
        make_zip({{".git/config", AE_IFREG, 0644, "[core]"}, {"kept"}}, ground.directory);
    for (const auto& bytes : {tar, packed_by({"xz", "-c"}, tar), zip}) {
        CHECK_FALSE(ground.unpack(bytes).kind);
        CHECK_FALSE(fs::exists(ground / ".git"));
        CHECK(fs::exists(ground / "kept"));
    }
    CHECK_FALSE(ground.unpack(TarBuilder().symlink(".git", "/etc").file("kept").finish()).kind);
    CHECK_FALSE(fs::exists(fs::symlink_status(ground / ".git")));
}

TEST_CASE("an archive without entries is an empty tree, and what is none is refused") {
    Ground ground;
    const auto empty_tar = TarBuilder().finish();
    for (const auto& bytes : {empty_tar, packed_by({"gzip", "-c"}, empty_tar)}) {
        CHECK_FALSE(ground.unpack(bytes).kind);
        CHECK(fs::is_empty(ground / ""));
    }
    struct Row {
        const char* what;
        std::string bytes;
    };
    for (const Row& row : {
             Row{"nothing", ""},
             Row{"one byte", "x"},
             Row{"text", "just some text, and no archive at all\n"},
             Row{"zeros that end early", std::string(100, '\0')},
             Row{"an ELF file", "\x7f" + std::string("ELF") + std::string(2000, '\1')},
             Row{"compressed text", packed_by({"gzip", "-c"}, "hello")},
             Row{"rar", std::string("Rar!\x1a\x07\x01\0", 8) + std::string(600, 'x')},
             Row{"7z", std::string("7z\xbc\xaf\x27\x1c", 6) + std::string(600, 'x')},
             Row{"ar", "!<arch>\n" + std::string(600, ' ')},
             Row{"a zip of nothing", "PK\5\6" + std::string(18, '\0')},
         }) {
        INFO(row.what);
        const auto verdict = ground.unpack(row.bytes);
        CHECK(verdict.kind == ErrorKind::invalid_input);
        CHECK_THAT(verdict.hint, Catch::Contains("tar.gz"));
    }
}

TEST_CASE(
    "frames behind one another are one stream, and what follows the archive is no part of it") {
    Ground ground;
    const auto tar = TarBuilder().file("a", std::string(5000, 'a')).finish();
    const auto half = tar.size() / 2;
    for (const char* program : {"gzip", "zstd", "xz"}) {
        INFO(program);
        CHECK_FALSE(ground
                        .unpack(packed_by({program, "-c"}, tar.substr(0, half)) +
                                packed_by({program, "-c"}, tar.substr(half)))
                        .kind);
        CHECK(fs::file_size(ground / "a") == 5000);
        const auto second = TarBuilder().file("../victim").finish();
        ground.unpack(packed_by({program, "-c"}, tar) + packed_by({program, "-c"}, second));
        CHECK(fs::exists(ground / "a"));
    }
}

TEST_CASE("an archive that is cut anywhere is refused") {
    Ground ground;
    const auto tar = TarBuilder().file("a", std::string(5000, 'a')).file("b").finish();
    for (const char* program : {"gzip", "zstd", "xz"}) {
        const auto packed = packed_by({program, "-c"}, tar);
        for (const std::size_t part : {4u, 3u, 2u}) {
            INFO(program << ", all but a part of " << part);
            CHECK(ground.unpack(packed.substr(0, packed.size() - packed.size() / part))
                      .kind.has_value());
        }
    }
    for (const std::size_t size : {100u, 512u + 1u, 512u + 4000u}) {
        INFO(size);
        CHECK(ground.unpack(tar.substr(0, size)).kind.has_value());
    }
}
