// Mounts of the worker's private mount namespace: what the world needs before the ids change, and
// the overlay of a sandbox's root. Owned by whoever's namespace it is: nothing here is unmounted
// on the host. Throws base::Error. One thread.
#pragma once

#include "base/fd.h"

#include <filesystem>
#include <vector>

namespace engine {

// Cuts this mount namespace off from the host's, gives it a /proc of this pid namespace and a
// /dev/net/tun that an unprivileged user may open, and hides the version 2 tree of a hybrid cgroup
// set-up. As root, before the ids change.
void prepare_host_mounts();

// Its parts that need no rights on the host.
void make_private();
void mount_proc();
// The empty tree beside version 1, for which crun 1.8 refuses to work.
void hide_hybrid_cgroup();

// Binds `source` read-only at `target` (made when missing). With ids to map, files of the source's
// owner appear as `first_id`'s where the file system can do that, so that the inner root may read
// what only their owner may.
void bind_read_only(const std::filesystem::path& source, const std::filesystem::path& target,
                    unsigned first_id);

// An overlay of `layers` (topmost first) at `target`. Refuses more layers than one mount takes.
void mount_overlay(const std::vector<std::filesystem::path>& layers,
                   const std::filesystem::path& upper, const std::filesystem::path& work,
                   const std::filesystem::path& target);

} // namespace engine
