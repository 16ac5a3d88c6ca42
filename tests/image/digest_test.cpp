#include "image/digest.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"

#include <catch2/catch.hpp>
#include <vector>

using image::Digest;

namespace {
// FIPS 180-2, appendix B.1.
const std::string abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
} // namespace

TEST_CASE("a digest is that of the standard's example, however the bytes come") {
    CHECK(Digest::of("abc").render() == abc);
    base::Sha256 hash;
    hash.update("a");
    hash.update("");
    hash.update("bc");
    CHECK(Digest(hash.finish()) == Digest::parse(abc));
    const base::TempDir directory("digest");
    base::write_file(directory.path() / "file", "abc");
    CHECK(image::digest_of_file(directory.path() / "file").render() == abc);
}

TEST_CASE("parse and render of a digest are inverse") {
    CHECK(Digest::parse(abc).render() == abc);
    CHECK("sha256:" + Digest::parse(abc).hex() == abc);
}

TEST_CASE("only 64 lower-case hexadecimal digits of sha256 are a digest") {
    const auto hex = abc.substr(7);
    for (const std::string& text : std::vector<std::string>{
             "", hex, "sha256:", "sha256:" + hex.substr(1), abc + "0", "sha512:" + hex,
             "SHA256:" + hex,
             "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
             "sha256:../../../../../../../../../../../../../../../../../../etc/passwd00000",
             "sha256:" + hex.substr(0, 63) + "\n", " " + abc}) {
        INFO(text);
        CHECK_THROWS_AS(Digest::parse(text), base::Error);
    }
}
