#include "phases/fetch.h"

#include "fake_server.h"
#include "tar_builder.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

using namespace builder;
namespace fs = std::filesystem;
using base::ErrorKind;

namespace {

std::string packed_by(const std::vector<std::string>& argv, const std::string& bytes) {
    auto result =
        base::run({.argv = argv, .environment = base::minimal_environment()}, {}, bytes, 64u << 20);
    REQUIRE(result.status.ok());
    return std::move(result.output);
}

std::string app_archive() {
    return packed_by({"gzip", "-c"}, TarBuilder()
                                         .directory("app-1.0")
                                         .file("app-1.0/Procfile", "web: run\n")
                                         .file("app-1.0/bin/run", "#!/bin/sh\n", 0755)
                                         .file("app-1.0/.git/config", "[core]")
                                         .finish());
}

struct Place {
    base::TempDir root{"fetch-archive"};
    Job job;
    Workspace workspace{root.path()};

    Place() {
        fs::create_directories(workspace.app);
        job.work_directory = root.path();
    }
    Fetched fetch(Source source) {
        job.source = std::move(source);
        return builder::fetch(job, workspace, {::getuid(), ::getgid()}, {});
    }
    base::Error refusal(Source source) {
        try {
            fetch(std::move(source));
        } catch (const base::Error& error) {
            return error;
        }
        FAIL("it was fetched");
        return {ErrorKind::internal, ""};
    }
    fs::path file(const std::string& bytes) {
        base::write_file(root.path() / "archive", bytes);
        return root.path() / "archive";
    }
    void allow(const FakeServer& server) {
        job.source_access.allowed_private_hosts.push_back(server.host());
    }
    std::size_t left_beside_the_app() const {
        std::size_t names = 0;
        for (const auto& entry : fs::directory_iterator(root.path()))
            names += entry.path() != workspace.app;
        return names;
    }
};

FakeServer serving(const std::string& bytes) {
    return FakeServer([bytes](const auto&) { return FakeServer::answer(200, {}, bytes); });
}

} // namespace

TEST_CASE("an archive's one root directory is taken off, its files are the source") {
    Place place;
    const auto fetched = place.fetch(Archive{place.file(app_archive()), true});
    CHECK(fetched.files == 2);
    CHECK(base::read_file(place.workspace.app / "Procfile") == "web: run\n");
    CHECK((fs::status(place.workspace.app / "bin/run").permissions() & fs::perms::owner_exec) !=
          fs::perms::none);
    CHECK_FALSE(fs::exists(place.workspace.app / ".git"));
}

TEST_CASE("each limit of an archive is refused by its name and by the key that sets it") {
    const auto expect = [](auto change, const std::string& bytes, const char* key) {
        Place place;
        change(place.job.limits);
        const auto error = place.refusal(Archive{place.file(bytes), true});
        INFO(error.message());
        CHECK((error.kind() == ErrorKind::limit_exceeded || error.kind() == ErrorKind::timed_out));
        CHECK_THAT(error.hint(), Catch::Contains(key));
    };
    const auto zeros = TarBuilder().file("zeros", std::string(70u << 20, '\0')).finish();
    expect([](auto& l) { l.source_bytes = 5; }, app_archive(), "build.source_size");
    expect([](auto& l) { l.source_entries = 2; }, app_archive(), "build.source_entries");
    expect([](auto& l) { l.source_depth = 2; }, app_archive(), "build.source_depth");
    expect([](auto& l) { l.archive_ratio = 10; }, packed_by({"gzip", "-c"}, zeros),
           "build.source_ratio");
    expect([](auto& l) { l.source_time = std::chrono::seconds(0); }, app_archive(),
           "build.source_time");
}

TEST_CASE("an archive without a file in it is refused") {
    Place place;
    CHECK_THROWS_WITH(place.fetch(Archive{place.file(TarBuilder().directory("a").finish()), true}),
                      Catch::Contains("not a single file"));
}

TEST_CASE("an archive behind a URL is downloaded, compared and unpacked") {
    Place place;
    const auto bytes = app_archive();
    auto server = serving(bytes);
    place.allow(server);
    place.fetch(RemoteArchive{server.url("/app.tar.gz"), "sha256:" + base::sha256_hex(bytes)});
    CHECK(fs::exists(place.workspace.app / "Procfile"));
    CHECK(place.left_beside_the_app() == 0);
}

TEST_CASE("another file than the announced one is refused with both checksums") {
    Place place;
    auto server = serving(app_archive());
    place.allow(server);
    const auto announced = "sha256:" + base::sha256_hex("another");
    const auto error = place.refusal(RemoteArchive{server.url(), announced});
    CHECK(error.kind() == ErrorKind::invalid_input);
    CHECK_THAT(error.message(),
               Catch::Contains(announced) && Catch::Contains(base::sha256_hex(app_archive())));
    CHECK(fs::is_empty(place.workspace.app));
}

TEST_CASE("a download that grows past the limit is ended and leaves nothing") {
    Place place;
    auto server = serving(packed_by({"sh", "-c", "head -c 300000 /dev/urandom"}, ""));
    place.allow(server);
    place.job.limits.archive_bytes = 100'000;
    const auto error = place.refusal(RemoteArchive{server.url("/a.tgz?signature=secret"), ""});
    CHECK(error.kind() == ErrorKind::limit_exceeded);
    CHECK_THAT(error.hint(), Catch::Contains("upload.size"));
    CHECK_THAT(error.message(), !Catch::Contains("secret"));
    CHECK(place.left_beside_the_app() == 0);
}

TEST_CASE("a URL into a private network is refused, also behind a redirect") {
    Place place;
    auto hidden = serving(app_archive());
    CHECK(place.refusal(RemoteArchive{hidden.url(), ""}).kind() == ErrorKind::invalid_input);
    CHECK(hidden.connections() == 0);
    FakeServer open([&](const auto&) {
        return FakeServer::answer(302, {"Location: " + hidden.url("/inside")});
    });
    place.allow(open);
    CHECK(place.refusal(RemoteArchive{open.url(), ""}).kind() == ErrorKind::invalid_input);
    CHECK(open.connections() == 1);
    CHECK(hidden.connections() == 0);
    for (const char* odd : {"http://0177.0.0.1/a", "http://[::ffff:127.0.0.1]/a",
                            "http://[64:ff9b::a9fe:a9fe]/a", "http://169.254.169.254/latest",
                            "http://2130706433/a", "http://localhost/a", "file:///etc/passwd"}) {
        INFO(odd);
        CHECK(place.refusal(RemoteArchive{odd, ""}).kind() == ErrorKind::invalid_input);
    }
}

TEST_CASE("redirects are followed where they may lead, not without end") {
    Place place;
    const auto bytes = app_archive();
    FakeServer server([&](const auto& request) {
        if (request.target == "/there") return FakeServer::answer(200, {}, bytes);
        return FakeServer::answer(
            302, {request.target == "/around" ? "Location: /around" : "Location: /there"});
    });
    place.allow(server);
    place.fetch(RemoteArchive{server.url("/here"), ""});
    CHECK(fs::exists(place.workspace.app / "Procfile"));
    CHECK(place.refusal(RemoteArchive{server.url("/around"), ""}).kind() == ErrorKind::unavailable);
}

TEST_CASE("a URL whose server has no archive says what it answered") {
    for (const auto& [status, kind] :
         {std::pair(404, ErrorKind::invalid_input), std::pair(403, ErrorKind::invalid_input),
          std::pair(500, ErrorKind::unavailable)}) {
        Place place;
        FakeServer server([status = status](const auto&) { return FakeServer::answer(status); });
        place.allow(server);
        const auto error = place.refusal(RemoteArchive{server.url("/x?key=secret"), ""});
        CHECK(error.kind() == kind);
        CHECK_THAT(error.message(),
                   Catch::Contains(std::to_string(status)) && !Catch::Contains("secret"));
    }
}
