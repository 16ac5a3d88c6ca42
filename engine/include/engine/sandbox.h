// A build's sandbox: one container of an OCI runtime (crun, runc) with slipway-init as its pid 1,
// in which any number of commands run one after another or side by side. Whoever owns the Sandbox
// ends it by destroying it: every process in it is then dead.
//
// Runs inside the worker's own namespaces (engine/namespaces.h): mounts, pids and ids are already
// the worker's, so that nothing outlives it. One thread.
#pragma once

#include "base/process.h"
#include "base/stop.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct Mount {
    std::filesystem::path source; // on our side
    std::string destination;      // absolute, in the sandbox
    enum class Access { read_only, read_write } access = Access::read_only;
};

enum class Network { none, internet };

struct Limits {
    std::uint64_t memory_bytes = 4ull << 30; // memory and swap together
    std::uint64_t pids = 2048;
    double cpus = 0;                      // 0: no limit
    std::uint64_t tmp_bytes = 2ull << 30; // of /tmp
    std::uint64_t open_files = 65536;
};

struct SandboxSpec {
    std::string runtime = "crun";                   // program name or path; runc's command line
    std::filesystem::path init;                     // slipway-init on our side
    std::vector<std::filesystem::path> root_layers; // unpacked layers, topmost first (overlayfs)
    std::filesystem::path scratch; // an empty directory of ours: bundle, overlay's upper and work
    std::vector<Mount> mounts;
    unsigned uid = 1000;
    unsigned gid = 1000;
    std::string hostname = "slipway";
    Network network = Network::internet;
    Limits limits;
    std::vector<std::filesystem::path> cgroups; // joined by the runtime; made by the worker's outer
};

struct Invocation {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string working_directory = "/";
    // Kills what the command left running (double forks) when it ends. Not for parallel ones.
    bool alone = true;
};

// What ended the whole sandbox under a command.
enum class Cause { out_of_memory, too_many_processes };

struct Result {
    base::ExitStatus status;
    std::optional<Cause> cause; // of a failure, as the cgroup counted it while the command ran
};

using Output = std::function<void(std::string_view bytes)>;

class Sandbox {
  public:
    static std::unique_ptr<Sandbox> start(const SandboxSpec& spec, const base::Stop& stop);
    virtual ~Sandbox() = default;

    // Runs to its end. stdout and stderr come interleaved as they were written. A stop kills every
    // process in the sandbox and throws Error{cancelled | timed_out}; the Sandbox is then only
    // good for destroying. So it is after Error{internal}: the sandbox ended and nobody knows why.
    virtual Result run(const Invocation& invocation, const Output& output,
                       const base::Stop& stop) = 0;
    // Several at once; output(i, bytes). Results in the order of the invocations.
    virtual std::vector<Result>
    run_all(const std::vector<Invocation>& invocations,
            const std::function<void(std::size_t index, std::string_view bytes)>& output,
            const base::Stop& stop) = 0;

    // Every process in it is dead when this returns. It is then only good for destroying, in any
    // thread: that takes the mounts and the network away, which nobody need wait for.
    virtual void end() = 0;
};

} // namespace engine
