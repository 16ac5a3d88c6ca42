#include "image_reference.h"

#include "errors.h"

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

TEST_CASE("a layout is named by its path, with a tag or without") {
    CHECK(cli::parse_layout_reference("oci:out").path == "out");
    CHECK(cli::parse_layout_reference("oci:out").tag == "latest");
    CHECK(cli::parse_layout_reference("oci:/a/b:v1").path == "/a/b");
    CHECK(cli::parse_layout_reference("oci:/a/b:v1").tag == "v1");
    CHECK(cli::parse_layout_reference("oci:/a:b/c").path == "/a:b/c");
}
