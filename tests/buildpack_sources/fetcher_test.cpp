#include "sources/fetcher.h"

#include "base/crypto.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using namespace sources;
namespace fs = std::filesystem;

namespace {

constexpr const char* descriptor = "api = \"0.10\"\n[buildpack]\nid = \"test/mine\"\n"
                                   "version = \"1.2.3\"\n[[targets]]\nos = \"linux\"\n";

struct Place {
    base::TempDir root{"fetcher-"};
    buildpacks::Catalog catalog;
    std::vector<std::string> lines;
    Access access;
    FetcherSettings::Folders folders = FetcherSettings::Folders::app_only;

    Place() { fs::create_directories(app()); }

    fs::path app() const { return root.path() / "app"; }
    fs::path store() const { return root.path() / "store"; }

    static void write_buildpack(const fs::path& directory) {
        fs::create_directories(directory / "bin");
        base::write_file(directory / "buildpack.toml", descriptor);
        for (const char* program : {"detect", "build"})
            base::write_file(directory / "bin" / program, "#!/bin/sh\nexit 0\n", 0755);
    }

    Fetched fetch(const std::string& uri, Dialect dialect = Dialect::pack) {
        Fetcher fetcher({.store = store(),
                         .app = app(),
                         .work = root.path() / "work",
                         .folders = folders,
                         .access = access},
                        [&](const std::string& line) { lines.push_back(line); });
        return fetcher.fetch({uri, parse_uri(uri, dialect)}, catalog, {});
    }

    base::Error refusal(const std::string& uri, Dialect dialect = Dialect::pack) {
        try {
            fetch(uri, dialect);
        } catch (const base::Error& error) {
            return error;
        }
        FAIL(uri << " was fetched");
        return {base::ErrorKind::internal, ""};
    }
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a folder of the app is copied before the app can change it") {
    Place place;
    place.write_buildpack(place.app() / "bp/mine");
    const auto fetched = place.fetch("./bp/mine");
    CHECK(fetched.element.id == "test/mine");
    CHECK(fetched.element.version == "1.2.3");
    base::write_file(place.app() / "bp/mine/bin/build", "changed");
    const auto& buildpack = place.catalog.find(fetched.element);
    CHECK(contains(base::read_file(buildpack.directory() / "bin/build"), "exit 0"));
    CHECK((fs::status(buildpack.directory() / "bin/build").permissions() &
           fs::perms::others_exec) != fs::perms::none);
}

TEST_CASE("programs of a buildpack are executable, even when the bit was lost") {
    Place place;
    place.write_buildpack(place.app() / "bp/mine");
    for (const char* program : {"detect", "build"})
        fs::permissions(place.app() / "bp/mine/bin" / program, fs::perms(0644));
    const auto mode = [&](const std::string& uri) {
        const auto& buildpack = place.catalog.find(place.fetch(uri).element);
        return fs::status(buildpack.directory() / "bin/build").permissions();
    };
    CHECK(mode("./bp/mine") == fs::perms(0755));
    REQUIRE(base::run({.argv = {"tar", "-czf", (place.app() / "mine.tgz").string(), "-C",
                                (place.app() / "bp").string(), "mine"}},
                      {})
                .status.ok());
    CHECK(mode("./mine.tgz") == fs::perms(0755));
}

TEST_CASE("the source tree of a compiled buildpack is refused with a way out") {
    Place place;
    place.write_buildpack(place.app() / "bp");
    fs::remove(place.app() / "bp/bin/build");
    const auto error = place.refusal("./bp");
    CHECK_THAT(error.message(), Catch::EndsWith("it has no bin/build"));
    CHECK_THAT(error.hint(), Catch::Contains("docker://"));
}

TEST_CASE("a folder of buildpacks is told from a buildpack") {
    Place place;
    place.write_buildpack(place.app() / "bps/one");
    place.write_buildpack(place.app() / "bps/two");
    CHECK_THAT(place.refusal("./bps").hint(), Catch::EndsWith("have one: one, two."));
    base::write_file(place.app() / "bps/extension.toml", "");
    CHECK_THAT(place.refusal("./bps").hint(), Catch::Contains("Image extension"));
}

TEST_CASE("without a scheme a name is an id, then a folder") {
    Place place;
    place.write_buildpack(place.app() / "bp/mine");
    CHECK(place.fetch("bp/mine").element.id == "test/mine");
    const auto again = place.fetch("test/mine@1.2.3");
    CHECK(again.pinned == "test/mine@1.2.3");
    CHECK(place.refusal("urn:cnb:builder:bp/mine").kind() == base::ErrorKind::not_found);
}

TEST_CASE("a folder is below the app, and no link leads out of it") {
    Place place;
    place.write_buildpack(place.root.path() / "outside");
    fs::create_directory_symlink(place.root.path() / "outside", place.app() / "link");
    CHECK(place.refusal("../outside").kind() == base::ErrorKind::not_found);
    CHECK(place.refusal("./link").kind() == base::ErrorKind::not_found);
    CHECK(place.refusal("./a/../../outside").kind() == base::ErrorKind::not_found);
    CHECK(place.refusal("./" + std::string(300, 'a')).kind() == base::ErrorKind::not_found);
    CHECK(place.refusal(std::string(300, 'a') + "/b").kind() == base::ErrorKind::not_found);
    const auto absolute = (place.root.path() / "outside").string();
    CHECK(place.refusal(absolute).kind() == base::ErrorKind::denied);
    place.folders = FetcherSettings::Folders::any;
    CHECK(place.fetch(absolute).element.id == "test/mine");
}

TEST_CASE("a buildpack.toml that is a link is not read") {
    Place place;
    place.write_buildpack(place.app() / "bp");
    fs::remove(place.app() / "bp/buildpack.toml");
    fs::create_symlink("/etc/passwd", place.app() / "bp/buildpack.toml");
    CHECK(contains(place.refusal("./bp").message(), "is a link"));
}

TEST_CASE("what is no buildpack is refused by the name that it was given") {
    Place place;
    fs::create_directories(place.app() / "empty");
    const auto error = place.refusal("./empty");
    CHECK(error.kind() == base::ErrorKind::invalid_input);
    CHECK(contains(error.message(), "empty is not a buildpack"));
    place.write_buildpack(place.app() / "bp");
    base::write_file(place.app() / "bp/buildpack.toml", "api = \"0.10\"\n[");
    CHECK_FALSE(contains(place.refusal("./bp").message(), place.root.path().string()));
}

TEST_CASE("an archive of the app is unpacked once, under its digest") {
    Place place;
    place.write_buildpack(place.root.path() / "tree/root");
    const auto made = base::run({.argv = {"tar", "-czf", (place.app() / "mine.tgz").string(), "-C",
                                          (place.root.path() / "tree").string(), "root"},
                                 .environment = base::minimal_environment()},
                                {});
    REQUIRE(made.status.ok());
    const auto first = place.fetch("./mine.tgz");
    CHECK(first.element.id == "test/mine");
    CHECK(contains(first.pinned, "sha256:"));
    CHECK(place.fetch("mine.tgz").pinned == first.pinned);
    base::write_file(place.app() / "bad.tgz", "no archive");
    CHECK(contains(place.refusal("./bad.tgz").message(), "bad.tgz"));
    std::size_t half = 0;
    for (const auto& entry : fs::directory_iterator(place.store() / "incoming"))
        half += entry.exists() ? 1 : 0;
    CHECK(half == 0);
}

TEST_CASE("a .cnb file whose blobs are a link touches nothing where it leads") {
    Place place;
    const auto tree = place.root.path() / "tree";
    const auto outside = place.root.path() / "outside";
    fs::create_directories(outside);
    fs::create_directories(tree / "sub");
    base::write_file(tree / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    const std::string digest = "sha256:" + std::string(64, 'a');
    for (const auto& [index, wanted] : std::vector<std::pair<std::string, std::string>>{
             {R"({"manifests":[{"digest":")" + digest + R"("}]})", "without blobs"},
             {R"([{"digest":")" + digest + R"("}])", "lists no images"},
             {R"({"manifests":7})", "lists no images"}}) {
        base::write_file(tree / "index.json", index);
        fs::remove(tree / "blobs");
        fs::create_directory_symlink(outside, tree / "blobs");
        const auto made = base::run(
            {.argv = {"tar", "-cf", (place.app() / "x.cnb").string(), "-C", tree.string(), "."},
             .environment = base::minimal_environment()},
            {});
        REQUIRE(made.status.ok());
        const auto error = place.refusal("./x.cnb");
        CHECK(error.kind() == base::ErrorKind::invalid_input);
        CHECK(contains(error.message(), wanted));
        CHECK(fs::is_empty(outside));
    }
}

TEST_CASE("an archive under another kind's name does not spoil the one under its own") {
    Place place;
    place.write_buildpack(place.root.path() / "tree/root");
    const auto made = base::run({.argv = {"tar", "-cf", (place.app() / "mine.tar").string(), "-C",
                                          (place.root.path() / "tree").string(), "root"},
                                 .environment = base::minimal_environment()},
                                {});
    REQUIRE(made.status.ok());
    fs::copy(place.app() / "mine.tar", place.app() / "mine.cnb");
    place.refusal("./mine.cnb"); // whatever it says: its folder is not taken off
    CHECK(place.fetch("./mine.tar").element.id == "test/mine");
}

TEST_CASE("a URL into a private network is refused before anything is sent") {
    Place place;
    for (const char* uri :
         {"http://127.0.0.1:9/x.git", "https://localhost/x.git#main", "http://0177.0.0.1/x.git",
          "http://[::1]:9/x.git", "http://[::ffff:127.0.0.1]/x.git",
          "http://[64:ff9b::7f00:1]/x.git", "http://169.254.169.254/latest/meta-data",
          "http://2130706433/x.git", "git://127.0.0.1/x.git", "git@localhost:x/y.git",
          "http://127.0.0.1:9/x.tgz", "http://[::1]/x.tar.gz", "docker://127.0.0.1:9/x/y",
          "docker://localhost:9/x/y"}) {
        INFO(uri);
        const auto error = place.refusal(uri, Dialect::classic);
        CHECK(error.kind() == base::ErrorKind::denied);
        CHECK(contains(error.message(), "not public"));
    }
    // Names that libcurl would change, and so look up past the check.
    CHECK(place.refusal("http://localhost./x.git", Dialect::classic).kind() ==
          base::ErrorKind::invalid_input);
}

TEST_CASE("a host that the operator allows is called") {
    Place place;
    place.access.allowed_private_hosts = {"127.0.0.1:9"};
    CHECK(place.refusal("http://127.0.0.1:9/x.tgz").kind() == base::ErrorKind::unavailable);
    CHECK(place.refusal("http://127.0.0.1:9/x.git").kind() == base::ErrorKind::unavailable);
    CHECK(place.refusal("http://127.0.0.1:10/x.git").kind() == base::ErrorKind::denied);
}

TEST_CASE("a ref that git could take for an option or a revision is refused") {
    Place place;
    place.access.hosts = Access::Hosts::any;
    for (const char* ref : {"--upload-pack=id", "a..b", "HEAD~1", "x^{tree}", "a:b"})
        CHECK(place.refusal(std::string("http://127.0.0.1:9/x.git#") + ref).kind() ==
              base::ErrorKind::invalid_input);
}

TEST_CASE("a commit that is here needs no network") {
    Place place;
    const std::string commit(40, 'a');
    const auto by = base::sha256_hex("http://127.0.0.1:9/o/x.git\n").substr(0, 16); // no credential
    place.write_buildpack(place.store() / "trees" / (commit + "-" + by));
    const auto fetched = place.fetch("http://127.0.0.1:9/o/x.git#" + commit);
    CHECK(fetched.pinned == "http://127.0.0.1:9/o/x.git#" + commit);
    CHECK(place.lines ==
          std::vector<std::string>{"Using http://127.0.0.1:9/o/x.git at aaaaaaaaaaaa"});
}

TEST_CASE("an inline script is a buildpack that always detects") {
    Place place;
    Fetcher fetcher({.store = place.store(), .app = place.app(), .work = place.root.path() / "w"},
                    [](const std::string&) {});
    const InlineScript script{"me/step", "0.0.0", "0.10", "/bin/sh", "echo \"hi\"\n"};
    const auto fetched = fetcher.fetch({"me/step", script, true}, place.catalog, {});
    CHECK(fetched.element.optional);
    const auto& directory = place.catalog.find(fetched.element).directory();
    for (const char* program : {"bin/detect", "bin/build"}) {
        const auto ran = base::run(
            {.argv = {(directory / program).string()}, .environment = base::minimal_environment()},
            {});
        CHECK(ran.status.ok());
        CHECK(ran.output == (std::string(program) == "bin/build" ? "hi\n" : ""));
    }
}

TEST_CASE("a given buildpack takes the place of one with its id and version") {
    Place place;
    place.write_buildpack(place.app() / "one");
    place.write_buildpack(place.app() / "two");
    base::write_file(place.app() / "two/mark", "x");
    place.fetch("./one");
    const auto second = place.fetch("./two");
    CHECK(fs::exists(place.catalog.find(second.element).directory() / "mark"));
    CHECK(place.catalog.all().size() == 1);
}
