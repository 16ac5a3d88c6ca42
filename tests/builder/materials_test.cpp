#include "builder/materials.h"

#include "errors.h"

#include <catch2/catch.hpp>

namespace {

const std::string hex(64, 'a');

builder::Job job_of(builder::Source source) {
    builder::Job job;
    job.source = std::move(source);
    job.stack = {"debian-12", "host/build@sha256:" + hex, "host/run@sha256:" + hex};
    job.environment = {{"DATABASE_URL", "postgres://u:secret@db/x"}, {"A", "1"}};
    return job;
}

proof::Resource source_of(builder::Source source) {
    return builder::materials_of(job_of(std::move(source))).dependencies.at(0);
}

} // namespace

TEST_CASE("a job's materials are its source, its stack and the names of its variables") {
    const auto materials =
        builder::materials_of(job_of(builder::GitTree{"/somewhere", std::string(40, 'b'), {}}));
    REQUIRE(materials.dependencies.size() == 3);
    CHECK(materials.dependencies[0].role == "source");
    CHECK(materials.dependencies[0].digest.at("gitCommit") == std::string(40, 'b'));
    CHECK(materials.dependencies[0].uri.empty());
    CHECK(materials.dependencies[1].role == "build-image");
    CHECK(materials.dependencies[2].digest.at("sha256") == hex);
    CHECK(materials.environment == std::vector<std::string>{"A", "DATABASE_URL"});
    CHECK(builder::render_materials(materials).find("secret") == std::string::npos);
}

TEST_CASE("a source's address is told without what opens it") {
    builder::RemoteCommit commit;
    commit.url = "https://ann:token@forge.example/team/x.git";
    commit.commit = std::string(40, 'c');
    CHECK(source_of(commit).uri == "https://forge.example/team/x.git");
    const auto archive = source_of(
        builder::RemoteArchive{"https://store.example/a.tgz?signature=abc", "sha256:" + hex});
    CHECK(archive.uri == "https://store.example/a.tgz");
    CHECK(archive.digest.at("sha256") == hex);
    CHECK(builder::public_url("ssh://git@forge.example:22/x@y") == "ssh://forge.example:22/x@y");
    CHECK(builder::public_url("urn:cnb:builder:a/b") == "urn:cnb:builder:a/b");
    CHECK(builder::public_url("") == "");
}

TEST_CASE("materials come out of their record as they went in") {
    auto materials = builder::materials_of(job_of(builder::Archive{"/file", false}));
    materials.dependencies.push_back(
        {.role = "buildpack", .name = "a/b@1", .digest = {{"sha256", hex}}});
    materials.layers = {{.role = "layer",
                         .name = "Application Layer",
                         .digest = {{"sha256", hex}},
                         .annotations = {{"origin", "made"}, {"reason", "its files changed"}}}};
    materials.bills = {
        {"application/spdx+json", {"application/spdx+json", image::Digest::of("bill"), 12}}};
    const auto back = builder::parse_materials(builder::render_materials(materials));
    CHECK(builder::render_materials(back) == builder::render_materials(materials));
    REQUIRE(back.bills.size() == 1);
    CHECK(back.bills[0].blob.digest == image::Digest::of("bill"));
    CHECK(back.bills[0].blob.size == 12);
    REQUIRE(back.layers.size() == 1);
    CHECK(back.layers[0].annotations == materials.layers[0].annotations);
    for (const char* text :
         {"", "[]", "{}", R"({"dependencies":1,"layers":[],"bills":[],"environment":[]})",
          R"({"dependencies":[],"bills":[],"environment":[]})",
          R"({"dependencies":[],"layers":[],"bills":[1],"environment":[]})"})
        CHECK(kind_of([&] { builder::parse_materials(text); }) == base::ErrorKind::invalid_input);
}
