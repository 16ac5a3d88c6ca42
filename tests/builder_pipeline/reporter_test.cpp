#include "pipeline/reporter.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "watchdog.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <poll.h>
#include <sstream>

using namespace builder;
using namespace std::chrono_literals;

namespace {

template <class F>
std::vector<std::string> lines_of(std::uint64_t limit, F&& say) {
    auto pipe = base::make_pipe();
    Reporter report(pipe.write.get(), limit);
    say(report);
    pipe.write.reset();
    std::istringstream stream(base::read_to_end(pipe.read.get(), 1 << 20));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);)
        lines.push_back(std::get<LogLine>(parse_event(line)).text);
    return lines;
}

} // namespace

TEST_CASE("lines follow the field's convention") {
    CHECK(lines_of(1000, [](Reporter& report) {
              report.step("a");
              report.body("b");
              report.problem("c");
          }) == std::vector<std::string>{"-----> a", "       b", " !     c"});
}

TEST_CASE("control bytes of a buildpack never reach the stream") {
    CHECK(lines_of(1000, [](Reporter& report) {
              report.body("\x1b[2J\x07"
                          "boo");
          }) == std::vector<std::string>{"       ^[[2J^Gboo"});
}

TEST_CASE("a secret leaves in no line and in no outcome, also where a line is shortened") {
    const std::string secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    auto pipe = base::make_pipe();
    Reporter report(pipe.write.get(), 1u << 20, base::SecretMask({base::Secret(secret)}));
    report.body("token " + secret);
    for (const std::size_t before : {16'370u, 8'170u}) {
        report.problem(std::string(before, '.') + secret);
        report.send(Outcome(Refused{Phase::build, base::ErrorKind::buildpack_failed,
                                    std::string(before, '.') + secret, secret}));
    }
    pipe.write.reset();
    const auto said = base::read_to_end(pipe.read.get(), 1 << 20);
    CHECK(said.find("token ***") != std::string::npos);
    CHECK(said.find("0123456") == std::string::npos);
}

TEST_CASE("whatever a stranger made long, no line is longer than the queue takes") {
    const std::string endless(2u << 20, '"');
    std::FILE* file = std::tmpfile();
    REQUIRE(file);
    Reporter report(::fileno(file), 100u << 20);
    report.body(endless);
    report.send(Record{"report", "[" + base::json::render(endless) + "]"});
    report.send(
        Outcome(Refused{Phase::build, base::ErrorKind::buildpack_failed, endless, endless}));
    report.send(Outcome(Broken{Phase::build, base::ErrorKind::internal, endless, endless}));
    Published published;
    for (int i = 0; i < 256; ++i) published.processes.push_back({"web", endless, false});
    report.send(Outcome(published));
    std::rewind(file);
    std::istringstream lines(base::read_to_end(::fileno(file), 100u << 20));
    std::fclose(file);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        CHECK(line.size() < 1u << 20);
        parse_event(line);
    }
    CHECK(count == 4); // all but the record
}

TEST_CASE("a full log says so once") {
    const auto lines = lines_of(100, [](Reporter& report) {
        for (int i = 0; i < 100; ++i) report.body("0123456789");
    });
    CHECK(lines.size() < 10);
    CHECK(lines.back() == " !     The log is full; the rest is left out.");
}

TEST_CASE("silence ends a build, a word in time does not") {
    base::StopSource job;
    Watchdog silent(job.stop(), 0s);
    pollfd fd{silent.stop().fd(), POLLIN, 0};
    REQUIRE(::poll(&fd, 1, 10'000) == 1);
    CHECK(silent.was_silent());

    Watchdog patient(job.stop(), 3600s);
    CHECK_FALSE(patient.stop().requested());
    job.request();
    fd = {patient.stop().fd(), POLLIN, 0};
    REQUIRE(::poll(&fd, 1, 10'000) == 1);
    CHECK_FALSE(patient.was_silent());
}

TEST_CASE("the job's deadline ends a build") {
    Watchdog watchdog(base::Stop{}.within(1ms), 3600s);
    const pollfd ready{watchdog.stop().fd(), POLLIN, 0};
    pollfd fd = ready;
    REQUIRE(::poll(&fd, 1, 10'000) == 1);
    CHECK_FALSE(watchdog.was_silent());
}
