#include "builder/masking.h"

#include <catch2/catch.hpp>

using namespace builder;

namespace {

Job job_with_secrets() {
    Job job;
    job.environment = {
        {"TOKEN", "variable-value"}, {"NODE_ENV", "production"}, {"PATH", "/opt/tools"}};
    job.source = RemoteCommit{.url = "https://example.com/r.git",
                              .commit = std::string(40, 'a'),
                              .token = base::Secret("forge-token"),
                              .ssh_key = base::Secret("-----BEGIN-----\nkey-line-1\nkey-line-2\n")};
    job.registry_credentials["r:5000"] = {"user", base::Secret("registry-word")};
    job.bindings["db"] = {{"type", "postgresql"}, {"password", "binding-word"}};
    return job;
}

} // namespace

TEST_CASE("a build's secrets are its variables, its source's keys, its registries' and bindings'") {
    const auto mask = mask_of(job_with_secrets());
    for (const char* secret : {"variable-value", "forge-token", "key-line-1", "key-line-2",
                               "registry-word", "binding-word"})
        CHECK(mask.apply(secret) == "***");
    for (const char* open :
         {"production", "/opt/tools", "postgresql", "https://example.com/r.git", "r:5000"})
        CHECK(mask.apply(open) == open);
}

TEST_CASE("what the operator sets for all builds stays readable, unless it is a secret") {
    builder::Job job;
    job.environment = {{"NPM_CONFIG_REGISTRY", "https://npm.example.com/mirror"},
                       {"MAKEFLAGS", "--jobs=12"},
                       {"npm_config__authToken", "operators-token"},
                       {"PIP_INDEX_URL", "https://ci:index-password@pypi.example.com/simple"},
                       {"DATABASE", "the-apps-own-value"}};
    job.operator_variables = {"NPM_CONFIG_REGISTRY", "MAKEFLAGS", "npm_config__authToken",
                              "PIP_INDEX_URL"};
    const auto mask = mask_of(job);
    for (const char* shown : {"https://npm.example.com/mirror", "make --jobs=12"})
        CHECK(mask.apply(shown) == shown);
    for (const char* hidden : {"operators-token", "index-password", "the-apps-own-value",
                               "https://ci:index-password@pypi.example.com/simple"})
        CHECK(mask.apply(hidden) == "***");
}

TEST_CASE("an archive's URL is a secret when it holds a signature or a password") {
    Job job;
    job.source = RemoteArchive{"https://example.com/a.tgz?signature=abc", ""};
    CHECK(mask_of(job).apply("from https://example.com/a.tgz?signature=abc") == "from ***");
    CHECK(mask_of(job).apply("sent on to https://cdn.example.com/b?signature=abc") ==
          "sent on to https://cdn.example.com/b?***");
    job.source = RemoteArchive{"https://me:pass-word@example.com/a.tgz", ""};
    CHECK(mask_of(job).apply("pass-word") == "***");
    job.source = RemoteArchive{"https://example.com/a.tgz", ""};
    CHECK(mask_of(job).empty());
}

TEST_CASE("the address of a buildpack stays readable unless it holds a token or a signature") {
    Job job;
    job.environment = {{"BUILDPACK_URL", "https://example.com/pack.git#v2"}};
    CHECK(mask_of(job).empty());
    for (const char* secret : {"https://t0ken-t0ken@example.com/pack.git",
                               "https://example.com/pack.tgz?signature=abc"}) {
        job.environment["BUILDPACK_URL"] = secret;
        CHECK(mask_of(job).apply(secret) == "***");
    }
    job.environment = {{"OTHER_URL", "https://example.com/pack.git"}};
    CHECK(mask_of(job).apply("https://example.com/pack.git") == "***");
}

TEST_CASE("each text of an event that a build may choose is masked, its image is not") {
    const base::SecretMask mask({base::Secret("sha256:secret")});
    const std::string said = "x sha256:secret y", hidden = "x *** y";
    CHECK(std::get<LogLine>(masked(mask, LogLine{said})).text == hidden);
    const auto outcome = [&](Outcome one) { return std::get<Outcome>(masked(mask, Event(one))); };
    const auto refused = std::get<Refused>(
        outcome(Refused{Phase::build, base::ErrorKind::buildpack_failed, said, said}));
    CHECK(refused.reason == hidden);
    CHECK(refused.hint == hidden);
    const auto broken =
        std::get<Broken>(outcome(Broken{Phase::build, base::ErrorKind::internal, said, said}));
    CHECK(broken.reason == hidden);
    CHECK(broken.hint == hidden);
    CHECK(std::get<Cancelled>(outcome(Cancelled{said})).why == hidden);
    CHECK(std::get<Detected>(outcome(Detected{{said}})).group.front() == hidden);
    const auto published = std::get<Published>(
        outcome(Published{"r/app@sha256:secret", "sha256:secret", 1, {{"web", said, true}}}));
    CHECK(published.processes.front().command == hidden);
    CHECK(published.digest == "sha256:secret");
    CHECK(published.reference == "r/app@sha256:secret");
}

TEST_CASE("a record stays JSON, whatever a secret looks like") {
    const base::SecretMask mask(
        {base::Secret("1234567"), base::Secret("\":[{\"a"), base::Secret("s3cret \"word\"")});
    const auto record = std::get<Record>(masked(
        mask, Record{"report",
                     R"({"n":1234567,"a":["x 1234567",{"s3cret \"word\"":"s3cret \"word\""}]})"}));
    CHECK(record.name == "report");
    CHECK(record.json == R"({"a":["x ***",{"***":"***"}],"n":1234567})");
}
