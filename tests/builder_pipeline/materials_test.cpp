#include "materials.h"

#include "inert_buildpack.h"

#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>

namespace fs = std::filesystem;

namespace {

std::string hash_of(const fs::path& directory) {
    return builder::describe_buildpack(InertBuildpack("test/known", directory)).digest.at("sha256");
}

} // namespace

TEST_CASE("a buildpack is named by what pins it") {
    const std::string commit(40, 'a'), hex(64, 'b');
    const auto fetched = builder::describe_buildpack(
        InertBuildpack("test/known", "/nowhere", "https://u:p@example.com/x.git#" + commit));
    CHECK(fetched.name == "test/known@1.0");
    CHECK(fetched.uri == "https://example.com/x.git");
    CHECK(fetched.digest == std::map<std::string, std::string>{{"gitCommit", commit}});
    const auto packaged = builder::describe_buildpack(
        InertBuildpack("test/known", "/nowhere", "example.com/bp@sha256:" + hex));
    CHECK(packaged.digest == std::map<std::string, std::string>{{"sha256", hex}});
}

TEST_CASE("a buildpack that nothing pins is named by its files, wherever they lie") {
    const base::TempDir one("bp"), two("bp");
    for (const auto* directory : {&one, &two}) {
        fs::create_directories(directory->path() / "bin");
        base::write_file(directory->path() / "bin" / "build", "#!/bin/sh\n", 0755);
    }
    CHECK(hash_of(one.path()) == hash_of(two.path()));
    base::write_file(two.path() / "bin" / "build", "#!/bin/sh\necho\n", 0755);
    CHECK(hash_of(one.path()) != hash_of(two.path()));
}

TEST_CASE("bills of materials are found by whose they are, in each format") {
    const base::TempDir directory("bills");
    const auto write = [&](const std::string& path) {
        fs::create_directories((directory.path() / path).parent_path());
        base::write_file(directory.path() / path, path);
    };
    write("a_b/sbom.cdx.json");
    write("a_b/layer/sbom.spdx.json");
    write("a_b/layer/sbom.syft.json");
    write("sbom.legacy.json");
    const auto bills = builder::read_bills(directory.path());
    REQUIRE(bills.size() == 3);
    CHECK(bills[0].origin == "a_b/layer");
    CHECK(bills[0].format == proof::Bill::Format::spdx);
    CHECK(bills[1].format == proof::Bill::Format::syft);
    CHECK(bills[2].origin == "a_b");
    CHECK(bills[2].text == "a_b/sbom.cdx.json");
    CHECK(builder::read_bills(directory.path() / "none").empty());
}
