#include "world.h"

#include <csignal>
#include <sys/resource.h>

using namespace engine_test;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

TEST_CASE("a build that takes more memory than its limit is killed, and it is known why") {
    const auto runtime = GENERATE(as<std::string>{}, "crun", "runc");
    if (!can_run(runtime)) return;
    engine::Limits limits;
    limits.memory_bytes = 96 << 20;
    CHECK_THAT(run_script("tail /dev/zero", limits,
                          [&](engine::SandboxSpec& spec) { spec.runtime = runtime; }),
               EndsWith("out of memory]"));
}

TEST_CASE("files in /tmp count as memory") {
    if (!can_run()) return;
    engine::Limits limits;
    limits.memory_bytes = 96 << 20;
    CHECK_THAT(run_script("dd if=/dev/zero of=/tmp/f bs=1M count=200", limits),
               EndsWith("out of memory]"));
}

TEST_CASE("a fork bomb stops at the limit, ends, and it is known why") {
    if (!can_run()) return;
    engine::Limits limits;
    limits.pids = 64;
    const auto text =
        run_script("bomb() { bomb & bomb & wait; }; bomb 2>/dev/null; exit 1", limits);
    // 1 or 2: as the shell itself or one of its commands could not be started.
    CHECK_THAT(text, StartsWith("[exit code ") && EndsWith(", too many processes]"));
}

TEST_CASE("a failure has no cause when no limit was met") {
    if (!can_run()) return;
    CHECK(run_script("exit 3") == "[exit code 3]");
}

TEST_CASE("after a command met a limit, the sandbox serves the next one") {
    if (!can_run()) return;
    Place place;
    engine::Limits limits;
    limits.memory_bytes = 96 << 20;
    const auto text = in_world(world_spec(place, limits), [&](const engine::World& world) {
        const auto sandbox = engine::Sandbox::start(place.spec(world), {});
        return run_in_turn(*sandbox, {"tail /dev/zero >/dev/null 2>&1", "echo next; exit 4"});
    });
    CHECK_THAT(text, Contains("out of memory]next\n[exit code 4]"));
}

TEST_CASE("open files and core dumps are limited") {
    if (!can_run()) return;
    engine::Limits limits;
    limits.open_files = 100;
    CHECK(run_script("ulimit -n; ulimit -c", limits) == "100\n0\n[exit code 0]");
}

TEST_CASE("a time limit ends a command that ignores SIGTERM and hides its children") {
    const auto runtime = GENERATE(as<std::string>{}, "crun", "runc");
    if (!can_run(runtime)) return;
    Place place;
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.runtime = runtime;
        auto sandbox = engine::Sandbox::start(spec, {});
        std::string answer;
        try {
            answer = run(*sandbox,
                         "trap '' TERM; setsid sh -c 'setsid sleep 1000 & sleep 1000' & "
                         "while :; do sleep 1; done",
                         base::Stop{}.within(std::chrono::milliseconds(300)));
        } catch (const base::Error& error) {
            answer = base::to_string(error.kind());
        }
        sandbox.reset();
        for (const auto& cgroup : world.sandbox_cgroups)
            answer += base::read_file(cgroup / "cgroup.procs");
        return answer;
    });
    CHECK(text == "timed_out");
}

TEST_CASE("a request to stop ends the command that runs") {
    if (!can_run()) return;
    Place place;
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        const auto sandbox = engine::Sandbox::start(place.spec(world), {});
        base::StopSource source;
        std::string answer;
        try {
            sandbox->run(
                shell("echo running; sleep 1000"), [&](std::string_view) { source.request(); },
                source.stop());
        } catch (const base::Error& error) {
            answer = base::to_string(error.kind());
        }
        try {
            run(*sandbox, "true");
        } catch (const base::Error& error) {
            answer += ", then " + error.message();
        }
        return answer;
    });
    CHECK(text == "cancelled, then the sandbox has ended already");
}

TEST_CASE("much output passes without being kept") {
    if (!can_run()) return;
    Place place;
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        const auto sandbox = engine::Sandbox::start(place.spec(world), {});
        const auto kilobytes = [] {
            rusage usage{};
            ::getrusage(RUSAGE_SELF, &usage);
            return usage.ru_maxrss;
        };
        run(*sandbox, "echo warm");
        const auto before = kilobytes();
        std::uint64_t size = 0;
        const auto result = sandbox->run(shell("head -c 52428800 /dev/zero"),
                                         [&](std::string_view bytes) { size += bytes.size(); }, {});
        return std::to_string(size) + (kilobytes() - before < 4096 ? " flat " : " grown ") +
               describe(result);
    });
    CHECK(text == "52428800 flat exit code 0");
}
