#include "layer_reasons.h"

#include <catch2/catch.hpp>

using builder::LayerOrigin;

namespace {

image::Layer layer(const std::string& content) {
    return {{std::string(image::media_type::layer_gzip), image::Digest::of("stored " + content), 9},
            image::Digest::of(content)};
}

builder::PreviousImage previous() {
    builder::PreviousImage before{image::Image("amd64").with_layers({layer("old")}, {{"Layer"}}),
                                  {}};
    before.metadata.buildpacks = {
        {"a/node", "1", {{"deps", {"sha256:x", R"({"node":"18","lock":"1"})", {}}}}, ""}};
    return before;
}

builder::LayerSubject deps(const std::string& version, const std::string& metadata) {
    return {"Layer: 'deps', Created by buildpack: a/node@" + version, "a/node", version, "deps",
            metadata};
}

std::string why(const builder::LayerSubject& subject, const std::string& content = "new") {
    const auto before = previous();
    return builder::describe_layer(subject, layer(content), LayerOrigin::made, &before)
        .annotations.at(proof::reason_annotation);
}

} // namespace

TEST_CASE("a layer that was made says because of what") {
    CHECK(why(deps("1", R"({"node":"20","lock":"1"})")) == "its metadata changed: node");
    CHECK(why(deps("1", R"({"node":"18"})")) == "its metadata changed: lock");
    CHECK(why(deps("2", "{}")) == "a/node is 2 and was 1");
    CHECK(why(deps("1", R"({"node":"18","lock":"1"})")) == "its files changed");
    CHECK(why(deps("1", "not json")) == "its metadata changed: lock, node");
    auto other = deps("1", "{}");
    other.layer = "cache";
    CHECK(why(other) == "the image before had no such layer");
    other.buildpack = "a/ruby";
    CHECK(why(other) == "a/ruby did not build the image before");
    CHECK(why({"Application Layer"}) == "its files changed");
    CHECK(why({"Application Layer"}, "old") ==
          "the same content as before, of which nothing was kept");
}

TEST_CASE("a first image has nothing to be compared with") {
    const auto told =
        builder::describe_layer({"Application Layer"}, layer("new"), LayerOrigin::made, nullptr);
    CHECK(told.annotations.at(proof::reason_annotation) == "there was no image before");
    CHECK(told.role == "layer");
    CHECK(told.name == "Application Layer");
    CHECK(told.digest.at("sha256") == image::Digest::of("stored new").hex());
}

TEST_CASE("a layer that was kept or found again says which of them it was") {
    const auto origin = [](LayerOrigin from) {
        return builder::describe_layer({"x"}, layer("new"), from, nullptr)
            .annotations.at(proof::origin_annotation);
    };
    CHECK(origin(LayerOrigin::previous) == "previous");
    CHECK(origin(LayerOrigin::unchanged) == "unchanged");
    CHECK(origin(LayerOrigin::same_content) == "same-content");
    CHECK(origin(LayerOrigin::made) == "made");
}
