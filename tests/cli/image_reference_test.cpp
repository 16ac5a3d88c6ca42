#include "image_reference.h"

#include "errors.h"

#include "base/temp_dir.h"

#include <catch2/catch.hpp>

using cli::ReferenceKind;

TEST_CASE("an image is named by a reference, a layout, a build or an app") {
    CHECK(cli::kind_of_reference("127.0.0.1:5000/hello:latest") == ReferenceKind::registry);
    CHECK(cli::kind_of_reference("registry.example/team/hello") == ReferenceKind::registry);
    CHECK(cli::kind_of_reference("oci:/tmp/image:app") == ReferenceKind::layout);
    CHECK(cli::kind_of_reference("b0123456789ab") == ReferenceKind::build);
    CHECK(cli::kind_of_reference("hello") == ReferenceKind::app);
    CHECK(cli::kind_of_reference("b0123456789abc") == ReferenceKind::app);
    CHECK(kind_of([] { cli::kind_of_reference(""); }) == base::ErrorKind::invalid_input);
}

TEST_CASE("a layout is named by its path, with a tag, a digest or neither") {
    CHECK(cli::parse_layout_reference("oci:out").path == "out");
    CHECK(cli::parse_layout_reference("oci:out").tag.empty());
    CHECK(cli::parse_layout_reference("oci:/a/b:v1").path == "/a/b");
    CHECK(cli::parse_layout_reference("oci:/a/b:v1").tag == "v1");
    CHECK(cli::parse_layout_reference("oci:/a:b/c").path == "/a:b/c");
    const auto digest = image::Digest::of("x");
    const auto exact = cli::parse_layout_reference("oci:/a@b:c@" + digest.render());
    CHECK(exact.path == "/a@b:c");
    CHECK(exact.tag.empty());
    CHECK(exact.digest == digest);
    for (const char* text : {"oci:", "oci::v1", "oci:/a:", "oci:@sha256:123"}) {
        INFO(text);
        CHECK(kind_of([&] { cli::parse_layout_reference(text); }) ==
              base::ErrorKind::invalid_input);
    }
}

TEST_CASE("an image goes to a repository or a layout, under a tag") {
    const cli::Context context;
    const auto digest = image::Digest::of("x").render();
    for (const std::string text : {"hello", "b0123456789ab", "", "oci:"}) {
        INFO(text);
        CHECK(kind_of([&] { cli::open_destination(context, text); }) ==
              base::ErrorKind::invalid_input);
    }
    CHECK(kind_of([&] { cli::open_destination(context, "oci:/nowhere@" + digest); }) ==
          base::ErrorKind::invalid_input);
    const base::TempDir directory("layout");
    const auto to =
        cli::open_destination(context, "oci:" + (directory.path() / "new").string() + ":v1");
    CHECK(to.tag == "v1");
    CHECK(std::filesystem::exists(directory.path() / "new/oci-layout"));
}

TEST_CASE(
    "an image was signed for the repository that it is in, on whatever host, or for another") {
    const cli::FoundImage found{
        .name = {}, .store = {}, .manifest = {}, .registry = "host:5000", .repository = "team/app"};
    CHECK(cli::is_repository_of(found, {"host:5000/team/app"}));
    CHECK(cli::is_repository_of(found, {"host:5000/other", "registry.example/team/app"}));
    for (const char* name :
         {"host:5000/other", "host:5000/app", "host:5000/team/app/more", "app", "team/app", ""}) {
        INFO(name);
        CHECK_FALSE(cli::is_repository_of(found, {name}));
    }
    CHECK_FALSE(cli::is_repository_of(found, {}));
}

TEST_CASE("what a copy moved is told in one line") {
    CHECK(cli::describe({.manifests = 1, .there = 2, .mounted = 3, .sent = 4, .bytes_sent = 0}) ==
          "1 manifest; of 9 blobs 4 were sent (0 B), 3 mounted, 2 were there");
}
