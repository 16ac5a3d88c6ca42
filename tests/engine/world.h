// A test's way into the engine's real namespaces and sandboxes: needs root, crun, slirp4netns and
// Debian's busybox-static. Catch2's assertions stay outside; what happens inside comes back as
// text.
#pragma once

#include "base/error.h"
#include "base/fd.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "engine/namespaces.h"
#include "engine/sandbox.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace engine_test {

namespace fs = std::filesystem;

inline constexpr unsigned first_id = 200000;

// False after a visible line (a failure in CI, where nothing may pass by not running).
inline bool can_run(const std::string& runtime = "crun") {
    std::string missing;
    if (::geteuid() != 0) missing = "root";
    if (!fs::exists("/bin/busybox")) missing = "the package busybox-static";
    for (const auto& program : {runtime, std::string("slirp4netns")})
        if (base::find_program(program).empty()) missing = program;
    if (missing.empty()) return true;
    std::cout << "SKIP: this test needs " << missing << "\n";
    const char* ci = std::getenv("CI");
    if (ci && std::string(ci) == "true") FAIL("this test needs " + missing);
    return false;
}

// Everything a test's sandbox is made of, in a directory of the inner root's.
struct Place {
    base::TempDir directory{"slipway-engine-test"};
    fs::path path = directory.path();

    Place() {
        make_layer();
        fs::copy_file(fs::path(SLIPWAY_BIN_DIR) / "slipway-init", path / "init");
        fs::copy_file("/proc/self/exe", path / "test-program");
        hand_over();
    }

    // Gives all that is there to the inner root, as unpacking an image in the worker would.
    void hand_over() const {
        for (const auto& entry : fs::recursive_directory_iterator(path))
            if (::lchown(entry.path().c_str(), first_id, first_id) != 0) FAIL("chown");
    }

    engine::SandboxSpec spec(const engine::World& world, const std::string& scratch = "scratch") {
        engine::SandboxSpec spec;
        spec.init = path / "init";
        spec.root_layers = {path / "layer"};
        spec.scratch = path / scratch;
        fs::create_directory(spec.scratch);
        spec.network = engine::Network::none;
        spec.cgroups = world.sandbox_cgroups;
        return spec;
    }

  private:
    void make_layer() const {
        for (const char* name : {"bin", "usr", "proc", "etc"})
            fs::create_directories(path / "layer" / name);
        fs::copy_file("/bin/busybox", path / "layer/bin/busybox");
        for (const char* name : {"sh",    "cat",  "chroot", "dd",    "echo",    "grep", "head",
                                 "id",    "kill", "ls",     "mkdir", "mount",   "nc",   "setsid",
                                 "sleep", "tail", "touch",  "true",  "unshare", "wc"})
            fs::create_symlink("busybox", path / "layer/bin" / name);
        fs::create_symlink("usr/lib", path / "layer/lib");
        fs::create_symlink("usr/lib64", path / "layer/lib64");
    }
};

inline engine::WorldSpec world_spec(const Place& place, engine::Limits limits = {}) {
    engine::WorldSpec spec;
    spec.first_id = first_id;
    spec.name = "test-" + base::random_hex(6);
    spec.limits = limits;
    spec.owned_directories = {place.path};
    return spec;
}

using Body = std::function<std::string(const engine::World&)>;

// What the body returned inside, or "KIND: message" of what it threw.
inline std::string in_world(const engine::WorldSpec& spec, const Body& body) {
    const base::UniqueFd answer(::memfd_create("answer", MFD_CLOEXEC));
    const int code = engine::enter(spec, [&](const engine::World& world) {
        std::string text;
        try {
            text = body(world);
        } catch (const base::Error& error) {
            text = std::string(base::to_string(error.kind())) + ": " + error.describe();
        }
        base::write_all(answer.get(), text);
        return 0;
    });
    if (code != 0) return "the world ended with " + std::to_string(code);
    ::lseek(answer.get(), 0, SEEK_SET);
    return base::read_to_end(answer.get(), 1 << 20);
}

inline engine::Invocation shell(const std::string& script) {
    return {.argv = {"/bin/sh", "-c", script},
            .environment = {"PATH=/bin:/usr/bin"},
            .working_directory = "/",
            .alone = true};
}

inline std::string describe(const engine::Result& result) {
    auto text = result.status.describe();
    if (result.cause == engine::Cause::out_of_memory) text += ", out of memory";
    if (result.cause == engine::Cause::too_many_processes) text += ", too many processes";
    return text;
}

// The script's output, then "[how it ended]".
inline std::string run(engine::Sandbox& sandbox, const std::string& script,
                       const base::Stop& stop = base::Stop{}.within(std::chrono::minutes(1))) {
    std::string output;
    const auto result = sandbox.run(
        shell(script), [&](std::string_view bytes) { output += bytes; }, stop);
    return output + "[" + describe(result) + "]";
}

// Several scripts one after another.
inline std::string run_in_turn(engine::Sandbox& sandbox, const std::vector<std::string>& scripts) {
    std::string text;
    for (const auto& script : scripts) text += run(sandbox, script);
    return text;
}

// The whole of the above for one script in one sandbox.
inline std::string run_script(const std::string& script, engine::Limits limits = {},
                              const std::function<void(engine::SandboxSpec&)>& change = {}) {
    Place place;
    return in_world(world_spec(place, limits), [&](const engine::World& world) {
        auto spec = place.spec(world);
        spec.limits = limits;
        if (change) change(spec);
        const auto sandbox = engine::Sandbox::start(spec, {});
        return run(*sandbox, script);
    });
}

} // namespace engine_test
