#include "image/index.h"

#include "base/error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

image::Index::Entry entry_of(const std::string& content, image::Platform platform,
                             std::string_view type = image::media_type::manifest) {
    return {{std::string(type), image::Digest::of(content), content.size()}, std::move(platform)};
}

} // namespace

TEST_CASE("an index has one manifest for each platform, whatever order they came in") {
    const auto amd = entry_of("a", {"linux", "amd64"}), arm = entry_of("b", {"linux", "arm64"});
    const auto one = image::Index().with(amd).with(arm).render();
    const auto other = image::Index().with(arm).with(entry_of("old", {"linux", "amd64"})).with(amd);
    CHECK(other.entries().size() == 2);
    CHECK(one.bytes == other.render().bytes);
    CHECK(one.digest == image::Digest::of(one.bytes));
    CHECK(one.media_type == image::media_type::index);
    CHECK(*image::choose_from_index(one, "arm64") == arm.manifest.digest);
    CHECK(*image::choose_from_index(one, "amd64") == amd.manifest.digest);
    CHECK_THROWS_AS(image::choose_from_index(one, "riscv64"), base::Error);
    // The order of keys is part of the digest.
    CHECK(one.bytes.starts_with(
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":)"));
}

TEST_CASE("variants of one architecture stand beside each other") {
    const auto index = image::Index()
                           .with(entry_of("6", {"linux", "arm", "v6"}))
                           .with(entry_of("7", {"linux", "arm", "v7"}));
    CHECK(index.entries().size() == 2);
    const auto value = nlohmann::json::parse(index.render().bytes);
    CHECK(value["manifests"][1]["platform"]["variant"] == "v7");
}

TEST_CASE("an index is read back as it was written, with its attestations") {
    auto attestation = entry_of("proof", {"unknown", "unknown"});
    attestation.annotations["vnd.docker.reference.type"] = "attestation-manifest";
    const auto raw = image::Index()
                         .with(entry_of("a", {"linux", "amd64"}))
                         .with(attestation)
                         .with(entry_of("proof 2", {"unknown", "unknown"}))
                         .render();
    const auto back = image::Index::parse(raw);
    CHECK(back.entries().size() == 3);
    CHECK(back.render().bytes == raw.bytes);
}

TEST_CASE("the two media families are never mixed in an index") {
    const auto docker = entry_of("d", {"linux", "amd64"}, image::media_type::docker_manifest);
    const auto list = image::Index().with(docker).render();
    CHECK(list.media_type == image::media_type::docker_manifest_list);
    CHECK(image::Index::parse(list).render().bytes == list.bytes);
    CHECK_THROWS_AS(image::Index().with(docker).with(entry_of("a", {"linux", "arm64"})).render(),
                    base::Error);
    CHECK_THROWS_AS(image::Index().render(), base::Error);
    CHECK_THROWS_AS(image::Index().with(entry_of("x", {"linux", "amd64"}, "text/plain")).render(),
                    base::Error);
}

TEST_CASE("what is no index is refused") {
    const auto parse = [](const std::string& bytes, std::string_view type) {
        return image::Index::parse({std::string(type), bytes, image::Digest::of(bytes)});
    };
    const auto index = image::media_type::index;
    CHECK(parse(R"({"manifests":[]})", index).entries().empty());
    for (const char* bytes : {"", "[]", "{}", R"({"manifests":{}})", R"({"manifests":[1]})",
                              R"({"manifests":[{"mediaType":"x","digest":"y","size":1}]})",
                              R"({"mediaType":"text/plain","manifests":[]})"}) {
        INFO(bytes);
        CHECK_THROWS_AS(parse(bytes, index), base::Error);
    }
    CHECK_THROWS_AS(parse(R"({"manifests":[]})", image::media_type::manifest), base::Error);
}
