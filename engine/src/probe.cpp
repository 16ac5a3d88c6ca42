// What `slipway doctor` says about this machine: not what versions promise, but what works when
// tried with the code that builds use.
#include "cgroup.h"
#include "ids.h"
#include "mounts.h"
#include "network.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "engine/namespaces.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <unistd.h>

namespace engine {
namespace {

namespace fs = std::filesystem;

Finding try_out(std::string what, const std::function<std::string()>& attempt) {
    Finding finding{.what = std::move(what), .ok = false, .detail = {}, .hint = {}};
    try {
        finding.detail = attempt();
        finding.ok = true;
    } catch (const base::Error& error) {
        finding.detail = error.describe();
        finding.hint = error.hint();
    } catch (const std::exception& error) {
        finding.detail = error.what();
    }
    return finding;
}

std::string first_line_of_version(const std::string& program, const std::string& package) {
    if (base::find_program(program).empty() && program.find('/') == std::string::npos)
        throw base::Error(base::ErrorKind::not_found, program + " is not installed",
                          "apt install " + package);
    base::Command command;
    command.argv = {program, "--version"};
    command.environment = base::minimal_environment();
    const auto done = base::run(command, base::Stop{}.within(std::chrono::seconds(10)));
    return base::printable(done.output.substr(0, done.output.find('\n')));
}

std::string describe_cgroups() {
    std::string text;
    bool memory = false, pids = false;
    for (const auto& hierarchy : find_hierarchies())
        for (const auto& controller : hierarchy.controllers) {
            memory = memory || controller == "memory";
            pids = pids || controller == "pids";
            text += (text.empty() ? "" : ", ") + controller;
            text += hierarchy.unified ? " (version 2)" : " (version 1)";
        }
    if (memory && pids) return text;
    throw base::Error(base::ErrorKind::unavailable,
                      "no control of memory and processes" + (text.empty() ? "" : ": " + text),
                      "builds cannot be limited; let the server run as root, or delegate a cgroup "
                      "to it (systemd: Delegate=yes)");
}

std::string try_overlay(const fs::path& directory) {
    for (const char* name : {"lower", "upper", "work", "merged"})
        fs::create_directories(directory / name);
    mount_overlay({directory / "lower"}, directory / "upper", directory / "work",
                  directory / "merged");
    base::write_file(directory / "merged" / "file", "x");
    ::umount2((directory / "merged").c_str(), MNT_DETACH);
    return "mounted in a user namespace";
}

fs::path make_fresh(const fs::path& directory) {
    fs::create_directories(directory);
    return directory;
}

std::string try_network(const fs::path& directory) {
    const NetworkNamespace network(Network::internet, make_fresh(directory),
                                   base::Stop{}.within(std::chrono::seconds(10)));
    return "a network namespace with slirp4netns came up";
}

std::string try_container(const std::string& runtime, const fs::path& init, const World& world,
                          const fs::path& directory) {
    SandboxSpec spec;
    spec.runtime = runtime;
    spec.init = init;
    spec.root_layers = {make_fresh(directory / "empty-root")};
    spec.scratch = make_fresh(directory / "scratch");
    spec.network = Network::none;
    spec.cgroups = world.sandbox_cgroups;
    Sandbox::start(spec, base::Stop{}.within(std::chrono::seconds(20)));
    return "a container started";
}

base::json::Value render(const Finding& finding) {
    return {{"what", finding.what},
            {"ok", finding.ok},
            {"detail", finding.detail},
            {"hint", finding.hint}};
}

// Tries all that needs the worker's namespaces; the findings come back through a pipe.
std::vector<Finding> probe_inside(const std::string& runtime, fs::path init, unsigned first_id) {
    const base::TempDir directory("slipway-doctor");
    // The ids of builds may have no way to where we were built (root's home); a worker binds it.
    const auto copy = directory.path() / "slipway-init";
    std::error_code failure;
    if (fs::copy_file(init, copy, failure)) init = copy;
    auto pipe = base::make_pipe();
    WorldSpec spec;
    spec.first_id = first_id;
    spec.name = "doctor-" + base::random_hex(4);
    spec.owned_directories = {directory.path()};
    const auto inside = [&](const World& world) {
        const auto& path = directory.path();
        const Finding found[] = {
            try_out("overlayfs", [&] { return try_overlay(path / "overlay"); }),
            try_out("network of builds", [&] { return try_network(path / "net"); }),
            try_out("container", [&] { return try_container(runtime, init, world, path / "c"); }),
        };
        auto list = base::json::Value::array();
        for (const auto& finding : found) list.push_back(render(finding));
        base::write_all(pipe.write.get(), base::json::render(list));
        return 0;
    };
    const int code = enter(spec, inside);
    pipe.write.reset();
    std::vector<Finding> findings = {{.what = "user namespaces",
                                      .ok = code == 0,
                                      .detail = code == 0 ? "entered" : "the trial ended early",
                                      .hint = {}}};
    if (code != 0) return findings;
    for (const auto& entry :
         base::json::parse(base::read_to_end(pipe.read.get(), 1 << 20), "the findings"))
        findings.push_back({.what = base::json::get_string(entry, "what"),
                            .ok = base::json::find_bool(entry, "ok", false),
                            .detail = base::json::get_string(entry, "detail"),
                            .hint = base::json::get_string(entry, "hint")});
    return findings;
}

} // namespace

std::vector<Finding> probe(const std::string& runtime, const fs::path& init, unsigned first_id) {
    std::vector<Finding> findings = {
        try_out("control groups", describe_cgroups),
        try_out("user ids of builds",
                [&] {
                    const auto first = choose_first_id(first_id);
                    return std::to_string(first) + " to " + std::to_string(first + id_count - 1);
                }),
        try_out("container runtime", [&] { return first_line_of_version(runtime, runtime); }),
        try_out("slirp4netns", [] { return first_line_of_version("slirp4netns", "slirp4netns"); }),
        try_out("/dev/net/tun",
                []() -> std::string {
                    if (::access("/dev/net/tun", F_OK) == 0) return "present";
                    throw base::Error(base::ErrorKind::unavailable, "there is no /dev/net/tun",
                                      "modprobe tun");
                }),
    };
    std::error_code failure;
    const auto beside = fs::read_symlink("/proc/self/exe", failure).parent_path() / "slipway-init";
    std::vector<Finding> inside;
    const auto entered = try_out("user namespaces", [&]() -> std::string {
        inside = probe_inside(runtime, init.empty() ? beside : init, first_id);
        return "entered";
    });
    if (!entered.ok) inside = {entered};
    std::move(inside.begin(), inside.end(), std::back_inserter(findings));
    return findings;
}

} // namespace engine
