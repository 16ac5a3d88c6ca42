#include "world.h"

using namespace engine_test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string in_sandbox(const std::function<std::string(engine::Sandbox&)>& body) {
    Place place;
    return in_world(world_spec(place), [&](const engine::World& world) {
        const auto sandbox = engine::Sandbox::start(place.spec(world), {});
        return body(*sandbox);
    });
}

} // namespace

TEST_CASE("commands of one sandbox see what earlier ones left in /tmp, and their own exit codes") {
    if (!can_run()) return;
    CHECK(
        in_sandbox([](engine::Sandbox& sandbox) {
            return run_in_turn(sandbox, {"echo one > /tmp/f; exit 5", "cat /tmp/f", "kill -9 $$"});
        }) == "[exit code 5]one\n[exit code 0][signal 9 (Killed)]");
}

TEST_CASE("a command gets its directory, its environment and nothing else") {
    if (!can_run()) return;
    CHECK(in_sandbox([](engine::Sandbox& sandbox) {
              std::string output;
              sandbox.run({.argv = {"/bin/busybox", "env"},
                           .environment = {"A=1", "EMPTY=", "B=two words"},
                           .working_directory = "/tmp"},
                          [&](std::string_view bytes) { output += bytes; }, {});
              output += run(sandbox, "ls /proc/self/fd | wc -l");
              return output;
          }) == "A=1\nEMPTY=\nB=two words\n4\n[exit code 0]");
}

TEST_CASE("standard output and standard error come through the same door") {
    if (!can_run()) return;
    const auto text =
        in_sandbox([](engine::Sandbox& sandbox) { return run(sandbox, "echo out; echo err >&2"); });
    CHECK_THAT(text, Contains("out\n") && Contains("err\n") && Contains("[exit code 0]"));
}

TEST_CASE("a program that is not there is reported as a shell would") {
    if (!can_run()) return;
    CHECK_THAT(in_sandbox([](engine::Sandbox& sandbox) {
                   return describe(
                       sandbox.run({.argv = {"no-such-program"}, .environment = {"PATH=/bin"}},
                                   [](std::string_view) {}, {}));
               }),
               StartsWith("exit code 127"));
}

TEST_CASE("what a command left in the background dies with it when it ran alone") {
    if (!can_run()) return;
    const auto text = in_sandbox([](engine::Sandbox& sandbox) {
        return run_in_turn(sandbox, {"(setsid sleep 1000 >/dev/null 2>&1 &) ; echo started",
                                     "for p in /proc/[0-9]*; do cat $p/comm; done 2>/dev/null"});
    });
    CHECK_THAT(text, StartsWith("started\n[exit code 0]") && !Contains("sleep"));
}

TEST_CASE("several commands run at the same time, each with its own output and end") {
    if (!can_run()) return;
    // Each waits for the other's file: one after the other, neither would end.
    const auto text = in_sandbox([](engine::Sandbox& sandbox) {
        const auto meet = [](const std::string& own, const std::string& other, int code) {
            return shell("touch /tmp/" + own + "; until [ -e /tmp/" + other +
                         " ]; do :; done; echo " + own + "; exit " + std::to_string(code));
        };
        std::string outputs[3];
        const auto results = sandbox.run_all(
            {meet("a", "b", 1), meet("b", "c", 2), meet("c", "a", 0)},
            [&](std::size_t index, std::string_view bytes) { outputs[index] += bytes; },
            base::Stop{}.within(std::chrono::seconds(60)));
        std::string answer;
        for (std::size_t i = 0; i < 3; ++i) answer += outputs[i] + describe(results[i]) + "; ";
        return answer;
    });
    CHECK(text == "a\nexit code 1; b\nexit code 2; c\nexit code 0; ");
}

TEST_CASE("more commands than init runs at once all get their turn") {
    if (!can_run()) return;
    const auto text = in_sandbox([](engine::Sandbox& sandbox) {
        std::vector<engine::Invocation> many;
        for (int i = 0; i < 150; ++i) many.push_back(shell("exit " + std::to_string(i)));
        const auto results = sandbox.run_all(many, [](std::size_t, std::string_view) {}, {});
        for (int i = 0; i < 150; ++i)
            if (results[static_cast<std::size_t>(i)].status.code != i) return std::string("mixed");
        return std::to_string(results.size());
    });
    CHECK(text == "150");
}

TEST_CASE("a command that cannot be expressed is refused, and the sandbox lives on") {
    if (!can_run()) return;
    CHECK(in_sandbox([](engine::Sandbox& sandbox) {
              std::string answer;
              for (const auto& script : {std::string("a\0b", 3), std::string(2 << 20, 'x')}) try {
                      run(sandbox, script);
                  } catch (const base::Error& error) {
                      answer += std::string(base::to_string(error.kind())) + " ";
                  }
              answer += run(sandbox, "echo alive");
              return answer;
          }) == "invalid_input limit_exceeded alive\n[exit code 0]");
}

TEST_CASE("a build cannot kill init, nor read or write its conversation with the engine") {
    if (!can_run()) return;
    const auto text = in_sandbox([](engine::Sandbox& sandbox) {
        return run_in_turn(sandbox,
                           {"kill -9 1; kill -9 -1 2>/dev/null; true",
                            "cat /proc/1/fd/0 2>/dev/null || echo x > /proc/1/fd/1", "echo next"});
    });
    CHECK_THAT(text, Contains("/proc/1/fd/1: Permission denied"));
    CHECK_THAT(text, Catch::Matchers::EndsWith("next\n[exit code 0]"));
}

TEST_CASE("a runtime that fails to start says why") {
    if (!can_run()) return;
    Place place;
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.mounts = {{place.path / "init", "/proc/self/here"}};
        engine::Sandbox::start(spec, {});
        return std::string("started");
    });
    CHECK_THAT(text, StartsWith("internal: the sandbox ended: ") && !Contains("no reason"));
}

TEST_CASE("a sandbox's root shows its layers, the topmost first") {
    if (!can_run()) return;
    Place place;
    fs::create_directories(place.path / "odd:na,me\\/etc");
    base::write_file(place.path / "odd:na,me\\/etc/motd", "upper\n");
    fs::create_directories(place.path / "layer/etc");
    base::write_file(place.path / "layer/etc/motd", "lower\n");
    base::write_file(place.path / "layer/etc/issue", "lower\n");
    place.hand_over();
    const auto text = in_world(world_spec(place), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.root_layers = {place.path / "odd:na,me\\", place.path / "layer"};
        const auto sandbox = engine::Sandbox::start(spec, {});
        return run(*sandbox, "cat /etc/motd /etc/issue");
    });
    CHECK(text == "upper\nlower\n[exit code 0]");
}
