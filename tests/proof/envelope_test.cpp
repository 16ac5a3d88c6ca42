#include "proof/envelope.h"
#include "proof/provenance.h"
#include "proof/statement.h"

#include "errors.h"

#include "base/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

TEST_CASE("the pre-authentication encoding is the one of DSSE's protocol") {
    CHECK(proof::pre_authentication_encoding("http://example.com/HelloWorld", "hello world") ==
          "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    CHECK(proof::pre_authentication_encoding("", "") == "DSSEv1 0  0 ");
}

TEST_CASE("an envelope opens with its key and with no other") {
    const auto key = base::KeyPair::make(), other = base::KeyPair::make();
    const auto sealed = proof::seal("{}", key);
    const auto opened = proof::open(sealed, {other.public_key(), key.public_key()});
    CHECK(opened.seal == proof::Seal::valid);
    CHECK(opened.payload == "{}");
    CHECK(opened.key_id == key.public_key().id());
    CHECK(proof::open(sealed, {other.public_key()}).seal == proof::Seal::unknown);
    CHECK(proof::open(sealed, {other.public_key()}).payload.empty());
    CHECK(proof::open(sealed, {}).seal == proof::Seal::unknown);
}

TEST_CASE("what is no envelope is refused") {
    for (const char* text : {"", "[]", "{}", R"({"payload":"e30=","payloadType":"x"})",
                             R"({"payload":"!","payloadType":"x","signatures":[]})",
                             R"({"payload":"e30=","payloadType":"x","signatures":[1]})"})
        CHECK(kind_of([&] { proof::open(text, {}); }) == base::ErrorKind::invalid_input);
}

TEST_CASE("a statement names its subject, and only its own predicate") {
    const auto image = image::Digest::of("an image");
    const proof::Statement statement{"host/\"app", image, "https://example.com/p", R"({"a":[1]})"};
    const auto text = proof::render_statement(statement);
    const auto value = base::json::parse(text, "it");
    CHECK(value["_type"] == "https://in-toto.io/Statement/v1");
    CHECK(value["subject"][0]["digest"]["sha256"] == image.hex());
    CHECK(value["subject"].size() == 1);
    const auto back = proof::parse_statement(text, image);
    CHECK(back.name == statement.name);
    CHECK(back.predicate_type == statement.predicate_type);
    CHECK(back.predicate == statement.predicate);
    CHECK(kind_of([&] { proof::parse_statement(text, image::Digest::of("another")); }) ==
          base::ErrorKind::denied);
}

TEST_CASE("simple signing names the digest where cosign reads it") {
    const auto image = image::Digest::of("an image");
    const auto text = proof::render_simple_signing("host/app", image);
    CHECK(text == R"({"critical":{"identity":{"docker-reference":"host/app"},"image":)"
                  R"({"docker-manifest-digest":")" +
                      image.render() +
                      R"("},"type":"cosign container image signature"},"optional":null})");
    CHECK(proof::parse_simple_signing(text).image == image);
    CHECK(proof::parse_simple_signing(text).name == "host/app");
    const auto nameless = proof::parse_simple_signing(
        R"({"critical":{"image":{"docker-manifest-digest":")" + image.render() + "\"}}}");
    CHECK(nameless.image == image);
    CHECK(nameless.name.empty());
    CHECK(kind_of([] { proof::parse_simple_signing("{}"); }) == base::ErrorKind::invalid_input);
}

TEST_CASE("provenance has the fields of SLSA v1 and no value of the environment") {
    const proof::Provenance provenance{
        .app = "hello",
        .source = {"git", "git+ssh://host/hello.git", "refs/heads/main", std::string(40, 'a')},
        .buildpacks = {"https://example.com/bp.git"},
        .stack = "debian-12",
        .environment = {"DATABASE_URL", "SECRET"},
        .dependencies = {{"buildpack", "a/b@1", "https://x#1", {{"gitCommit", "1"}}, ""}},
        .builder = "https://builds.example",
        .builder_version = "0.1.0",
        .build = "b1",
        .started = 1'000,
        .finished = 61'999,
        .byproducts = {{.role = "log", .digest = {{"sha256", "2"}}, .media_type = "text/plain"}}};
    const auto value = base::json::parse(proof::render(provenance), "it");
    const auto& definition = value["buildDefinition"];
    CHECK(definition["buildType"] == "urn:slipway:build:v1");
    CHECK(definition["externalParameters"]["source"]["revision"] == std::string(40, 'a'));
    CHECK(definition["internalParameters"]["environment"] ==
          nlohmann::json{"DATABASE_URL", "SECRET"});
    CHECK(definition["resolvedDependencies"][0]["digest"]["gitCommit"] == "1");
    CHECK(value["runDetails"]["builder"]["id"] == "https://builds.example");
    CHECK(value["runDetails"]["metadata"]["invocationId"] == "b1");
    CHECK(value["runDetails"]["metadata"]["startedOn"] == "1970-01-01T00:00:01Z");
    CHECK(value["runDetails"]["metadata"]["finishedOn"] == "1970-01-01T00:01:01Z");
    CHECK(value["runDetails"]["byproducts"][0]["mediaType"] == "text/plain");

    const auto back = proof::parse_provenance(proof::render(provenance));
    CHECK(proof::render(back) == proof::render([&] {
              auto whole_seconds = provenance;
              whole_seconds.finished = 61'000;
              return whole_seconds;
          }()));
    for (const char* text : {"null", "{}", R"({"buildDefinition":{"buildType":"x"}})"})
        CHECK(kind_of([&] { proof::parse_provenance(text); }) == base::ErrorKind::invalid_input);
}
