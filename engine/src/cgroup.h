// A build's control groups: slipway/<name>/{worker,sandbox} in every hierarchy that matters (the
// controllers of version 1, or the one tree of version 2). Owned by the worker's outer process;
// the counters are read from inside too. One thread. Refuses to touch any cgroup but its own.
#pragma once

#include "engine/sandbox.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct Hierarchy {
    std::filesystem::path base; // the directory in which "slipway" is made
    std::filesystem::path own;  // the cgroup that we are in now
    std::vector<std::string> controllers;
    bool unified = false; // version 2
};

// From /proc/self/mountinfo and /proc/self/cgroup. Only hierarchies with a controller that limits
// or freezes; root makes its cgroups at the top, an ordinary user below its own (delegated) one.
// `root` is put before every path: the tests' pretended file system.
std::vector<Hierarchy> find_hierarchies(std::string_view mountinfo, std::string_view self_cgroup,
                                        bool privileged, const std::filesystem::path& root = "/");
std::vector<Hierarchy> find_hierarchies();

class Cgroups {
  public:
    // Makes the cgroups, sets the limits on `sandbox` and moves this process into `worker`.
    // Processes of `owner` may then move from the one into the other. Throws Error{unavailable}.
    static Cgroups create(std::vector<Hierarchy> hierarchies, const std::string& name,
                          const Limits& limits, std::optional<unsigned> owner);

    Cgroups(Cgroups&& other) noexcept = default;
    ~Cgroups(); // kills what still runs in `sandbox`, leaves `worker`, removes all

    std::vector<std::filesystem::path> sandbox() const;

  private:
    Cgroups(std::vector<Hierarchy> hierarchies, std::string name)
        : hierarchies_(std::move(hierarchies)), name_(std::move(name)) {}
    std::vector<Hierarchy> hierarchies_;
    std::string name_;
};

// What the kernel refused in a sandbox's cgroups so far.
struct Refusals {
    std::uint64_t killed_for_memory = 0;
    std::uint64_t processes_refused = 0;
};
Refusals read_refusals(const std::vector<std::filesystem::path>& cgroups) noexcept;

// Kills every process in these directories, which are the same cgroup in several hierarchies, and
// waits until they are gone; false when some are left after ten seconds.
bool kill_all(const std::vector<std::filesystem::path>& cgroups) noexcept;

// Removes the cgroups of builds whose worker has no live process. See sweep_cgroups().
void sweep(const std::vector<Hierarchy>& hierarchies);

} // namespace engine
