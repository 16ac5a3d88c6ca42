#include "receiver/spool.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/stat.h>

namespace fs = std::filesystem;
using base::ErrorKind;
using receiver::Spool;

namespace {

// In odd pieces, as a network gives them.
Spool::Body body_of(const std::string& bytes, std::size_t piece = 777) {
    return [&bytes, piece, at = std::size_t{0}](char* buffer, std::size_t size) mutable {
        const auto n = std::min({size, piece, bytes.size() - at});
        std::memcpy(buffer, bytes.data() + at, n);
        at += n;
        return n;
    };
}

std::string digest_of(const std::string& bytes) {
    return "sha256:" + base::sha256_hex(bytes);
}

std::size_t files_in(const fs::path& directory) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        files += entry.is_regular_file();
    return files;
}

struct Outcome {
    std::optional<ErrorKind> kind;
    std::string message, hint;
};

Outcome outcome_of(Spool& spool, const Spool::Body& body, std::uint64_t announced = 0,
                   const std::string& expected = {}, receiver::SpoolLimits limits = {},
                   const Spool::Record& record = {}, const base::Stop& stop = {}) {
    try {
        spool.receive(body, announced, expected, limits, record, stop);
    } catch (const base::Error& error) {
        return {error.kind(), error.message(), error.hint()};
    }
    return {};
}

} // namespace

TEST_CASE("an upload lies under the name of its digest, readable by the server alone") {
    const base::TempDir directory("spool");
    Spool spool(directory.path() / "sources");
    std::string bytes;
    for (int i = 0; bytes.size() < 3'000'000; ++i) bytes += std::to_string(i);
    receiver::Spooled recorded;
    bool was_there_when_recorded = false;
    const auto spooled = spool.receive(body_of(bytes), bytes.size(), {}, {},
                                       [&](const receiver::Spooled& what) {
                                           recorded = what;
                                           was_there_when_recorded = spool.has(what.digest);
                                       },
                                       {});
    CHECK(spooled.digest == digest_of(bytes));
    CHECK(spooled.size == bytes.size());
    CHECK_FALSE(spooled.was_there);
    CHECK(recorded.digest == spooled.digest);
    CHECK(was_there_when_recorded);
    const auto file = spool.file_of(spooled.digest);
    CHECK(file.filename() == "sha256-" + base::sha256_hex(bytes));
    CHECK(base::read_file(file) == bytes);
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat(file.parent_path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("the same bytes sent again are not stored twice") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const std::string bytes(300'000, 'a'), others(300'000, 'b');
    spool.receive(body_of(bytes), 0, {}, {}, {}, {});
    struct stat before {};
    struct stat after {};
    REQUIRE(::stat(spool.file_of(digest_of(bytes)).c_str(), &before) == 0);
    CHECK(spool.receive(body_of(bytes), 0, {}, {}, {}, {}).was_there);
    REQUIRE(::stat(spool.file_of(digest_of(bytes)).c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK(files_in(directory.path()) == 1);
    CHECK_FALSE(spool.receive(body_of(others), 0, {}, {}, {}, {}).was_there);
    CHECK(files_in(directory.path()) == 2);
}

TEST_CASE("a stored file that lost its end is replaced by the whole one") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const std::string bytes(300'000, 'a');
    spool.receive(body_of(bytes), 0, {}, {}, {}, {});
    fs::resize_file(spool.file_of(digest_of(bytes)), 100);
    CHECK_FALSE(spool.receive(body_of(bytes), 0, {}, {}, {}, {}).was_there);
    CHECK(base::read_file(spool.file_of(digest_of(bytes))) == bytes);
}

TEST_CASE("an upload that breaks leaves nothing, whatever broke it") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const std::string bytes(2'000'000, 'a');
    const auto body = body_of(bytes);

    auto outcome = outcome_of(spool, [&, given = 0](char* buffer, std::size_t size) mutable {
        if (++given > 100) throw base::Error(ErrorKind::unavailable, "the client left");
        return body(buffer, size);
    });
    CHECK(outcome.kind == ErrorKind::unavailable);
    CHECK(files_in(directory.path()) == 0);

    outcome = outcome_of(spool, body_of(bytes), 0, {}, {.bytes = 1'999'999});
    CHECK(outcome.kind == ErrorKind::limit_exceeded);
    CHECK(outcome.message == "the upload is larger than 2.0 MB");
    CHECK(outcome.hint.find("upload.size") != std::string::npos);
    CHECK(files_in(directory.path()) == 0);

    outcome = outcome_of(spool, body_of(bytes), 0, digest_of("other bytes"));
    CHECK(outcome.kind == ErrorKind::invalid_input);
    CHECK(outcome.message.find(digest_of(bytes)) != std::string::npos);
    CHECK(files_in(directory.path()) == 0);

    outcome = outcome_of(spool, body_of(""));
    CHECK(outcome.kind == ErrorKind::invalid_input);
    CHECK(files_in(directory.path()) == 0);

    outcome = outcome_of(spool, body_of(bytes), 0, {}, {}, [](const receiver::Spooled&) {
        throw base::Error(ErrorKind::unavailable, "the database is locked");
    });
    CHECK(outcome.kind == ErrorKind::unavailable);
    CHECK(files_in(directory.path()) == 0);

    base::StopSource stop;
    stop.request();
    CHECK(outcome_of(spool, body_of(bytes), 0, {}, {}, {}, stop.stop()).kind ==
          ErrorKind::cancelled);
    CHECK(files_in(directory.path()) == 0);
}

TEST_CASE("a row that cannot be written takes no file away that another upload has") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const std::string bytes(1000, 'a');
    spool.receive(body_of(bytes), 0, {}, {}, {}, {});
    outcome_of(spool, body_of(bytes), 0, {}, {}, [](const receiver::Spooled&) {
        throw base::Error(ErrorKind::unavailable, "the database is locked");
    });
    CHECK(spool.has(digest_of(bytes)));
}

TEST_CASE("an announced length over the limit is refused before a byte is read") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    bool read = false;
    const auto outcome = outcome_of(spool,
                                    [&](char*, std::size_t) {
                                        read = true;
                                        return std::size_t{0};
                                    },
                                    5001, {}, {.bytes = 5000});
    CHECK(outcome.kind == ErrorKind::limit_exceeded);
    CHECK_FALSE(read);
}

TEST_CASE("an upload that takes too long is ended by name of its limit") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const auto endless = [](char* buffer, std::size_t) {
        buffer[0] = 'a';
        return std::size_t{1};
    };
    const auto outcome = outcome_of(spool, endless, 0, {}, {.time = std::chrono::seconds(0)});
    CHECK(outcome.kind == ErrorKind::timed_out);
    CHECK(outcome.hint.find("upload.time") != std::string::npos);
    CHECK(files_in(directory.path()) == 0);
}

TEST_CASE("a disk that is full says so and keeps nothing of the upload") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    // The kernel's own refusal of a write, without filling a disk.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = 100'000;
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto outcome = outcome_of(spool, body_of(std::string(300'000, 'a')));
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    ::signal(SIGXFSZ, handler);
    CHECK(outcome.kind.has_value());
    CHECK(files_in(directory.path()) == 0);
    CHECK(spool.receive(body_of("abc"), 0, {}, {}, {}, {}).size == 3);
}

TEST_CASE("a stored upload leaves only when nothing uses it") {
    const base::TempDir directory("spool");
    Spool spool(directory.path());
    const auto digest = spool.receive(body_of("abc"), 0, {}, {}, {}, {}).digest;
    CHECK_FALSE(spool.remove_unless(digest, [] { return true; }));
    CHECK(spool.has(digest));
    CHECK(spool.remove_unless(digest, [] { return false; }));
    CHECK_FALSE(spool.has(digest));
}

TEST_CASE("a checksum is read as clients write it and names no other file") {
    const auto hex = base::sha256_hex("abc");
    std::string upper = hex;
    std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
    for (const auto& text : {hex, "sha256:" + hex, "SHA256:" + hex, "SHA256:" + upper})
        CHECK(receiver::parse_checksum(text) == "sha256:" + hex);
    for (const std::string text : {"", "sha256:", "../../etc/passwd", "md5:0123", "sha512:"})
        CHECK_THROWS_AS(receiver::parse_checksum(text), base::Error);
    CHECK_THROWS_AS(receiver::parse_checksum(hex + "0"), base::Error);
    CHECK_THROWS_AS(receiver::parse_checksum("sha256:" + hex.substr(1) + "/"), base::Error);
}
