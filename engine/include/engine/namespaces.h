// The worker's own world. enter() is called first thing in the worker's main, single-threaded:
//
//   outer (as started: root, or an ordinary user with /etc/subuid ranges)
//     makes the cgroups, prepares host mounts, forks, waits, removes the cgroups
//     `- inner: pid 1 of a new pid namespace, "root" of a new user namespace whose ids 0..65535
//        are `first_id`.. outside, own mount namespace with its own /proc. The network namespace
//        is still the host's (the registry is spoken to from here, the sandbox has its own).
//
// When either dies, every process and mount below is gone with it: nothing has to be cleaned.
#pragma once

#include "engine/sandbox.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace engine {

struct WorldSpec {
    unsigned first_id = 0; // first of 65536 ids outside; 0: look in /etc/subuid
    std::string name;      // of the cgroups: slipway/<name>/{worker,sandbox}
    Limits limits;         // of the sandbox's cgroup
    // (source, target): directories bound read-only before the ids change. As root their owner's
    // files appear as the inner root's, so that a repository which its owner alone may read can be
    // read inside; where the file system cannot do that, they keep their owner.
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> read_only_binds;
    // Directories chowned to the inner root when it does not own them yet (work, caches, images).
    std::vector<std::filesystem::path> owned_directories;
};

struct World {
    std::vector<std::filesystem::path>
        sandbox_cgroups; // for SandboxSpec::cgroups; empty: none to be had
};

// Runs `inner` in the new world and returns its exit code (in the outer process); descriptors
// stay open in both. Throws Error{denied | unavailable} with the way out when the kernel or the
// configuration does not allow it.
//
// In the inner, SIGPIPE is ignored; SIGTERM, SIGINT and SIGHUP that the outer gets are passed on to
// it. An inner that throws ends with exit code 70, one that is killed with 128 + the signal.
int enter(const WorldSpec& spec, const std::function<int(const World&)>& inner);

// Kills and removes cgroups slipway/* that no live worker owns: after the server was killed.
void sweep_cgroups();

// What `slipway doctor` prints.
struct Finding {
    std::string what;
    bool ok = false;
    std::string detail;
    std::string hint;
};
// init: slipway-init; looked for beside this program when empty. Starts a real container, and so
// takes about as long as one. Single-threaded, as enter().
std::vector<Finding> probe(const std::string& runtime, const std::filesystem::path& init = {},
                           unsigned first_id = 0);

} // namespace engine
