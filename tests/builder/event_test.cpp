#include "builder/event.h"
#include "builder/job.h"

#include <catch2/catch.hpp>

using namespace builder;

namespace {

void check_same(const Event& event) {
    const auto line = render(event);
    INFO(line);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(render(parse_event(line)) == line);
}

} // namespace

TEST_CASE("every event is one line that reads back") {
    check_same(LogLine{"-----> a \"line\" with\ttabs"});
    check_same(PhaseStarted{Phase::detect});
    check_same(PhaseFinished{Phase::export_, 12});
    check_same(Outcome{Published{"host:1/app@sha256:0", "sha256:0", 5, {{"web", "node x", true}}}});
    check_same(Outcome{Published{"h/app@sha256:0", "sha256:0", 5, {}, "0123", "b1"}});
    check_same(Outcome{Refused{Phase::build, base::ErrorKind::buildpack_failed, "why", "do this"}});
    check_same(Outcome{Broken{Phase::publish, base::ErrorKind::unavailable, "why", ""}});
    check_same(Outcome{Cancelled{"asked"}});
}

TEST_CASE("bytes that are no UTF-8 do not break the stream") {
    CHECK_NOTHROW(parse_event(render(LogLine{"\xff\xfe"})));
}

TEST_CASE("what is no event is refused") {
    for (const char* line : {"", "{}", "[]", "nonsense", R"({"event":"party"})",
                             R"({"event":"phase","phase":"lunch","state":"started"})",
                             R"({"event":"outcome","outcome":"maybe"})"})
        CHECK_THROWS_AS(parse_event(line), base::Error);
}

TEST_CASE("a job reads back whole, its credentials included") {
    Job job{.id = "b1",
            .app = "hello",
            .source = GitTree{"/r.git", "0123", "/r.git/objects/q"},
            .stack = {"debian-12", "h/b@sha256:1", "h/r@sha256:2"},
            .target = RegistryTarget{"h:5000", "hello", "latest"},
            .previous = "sha256:3",
            .buildpack_directories = {"/a", "/b"},
            .launcher_directory = "/l",
            .images_directory = "/i",
            .cache_directory = "/c",
            .work_directory = "/w",
            .environment = {{"K", "v=1\n"}},
            .ca_file = "/ca",
            .network = "none",
            .runtime = "runc",
            .first_id = 7};
    job.limits.cpus = 1.5;
    job.registry_credentials["h:5000"] = {"user", base::Secret("hush"), "CHAIN",
                                          base::Secret("quiet")};
    job.registry_credentials["own:5000"].of_this_build = true;
    const auto text = job.render();
    CHECK(Job::parse(text).render() == text);
    CHECK(Job::parse(text).registry_credentials.at("h:5000").password.reveal() == "hush");
    CHECK(Job::parse(text).registry_credentials.at("h:5000").key.reveal() == "quiet");
    CHECK_FALSE(Job::parse(text).registry_credentials.at("h:5000").of_this_build);
    CHECK(Job::parse(text).registry_credentials.at("own:5000").of_this_build);
    job.inputs = {base::Secret("salt"), {{"b0", {"h/app@sha256:0", "sha256:0", 5, {}, "0123"}}}};
    const auto inputs = Job::parse(job.render()).inputs;
    CHECK(inputs.secret.reveal() == "salt");
    REQUIRE(inputs.finished.size() == 1);
    CHECK(inputs.finished[0].id == "b0");
    CHECK(inputs.finished[0].published.inputs == "0123");
    CHECK(inputs.finished[0].published.digest == "sha256:0");
    job.source = Archive{"/s.tar"};
    job.target = LayoutTarget{"/o", "latest"};
    CHECK(Job::parse(job.render()).render() == job.render());
    job.target = NoTarget{};
    CHECK(Job::parse(job.render()).render() == job.render());
    job.compression = image::Compression::zstd;
    CHECK(Job::parse(job.render()).compression == image::Compression::zstd);
}
