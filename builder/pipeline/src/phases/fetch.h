// Phase 1: the source becomes a plain directory of files. Git trees are read with libgit2 straight
// from the repository or the push's quarantine; archives are unpacked, those with a URL after their
// download. Modes become 0644 or 0755, symbolic links stay, there is no .git; submodules are
// refused.
#pragma once

#include "workspace.h"

#include "base/stop.h"
#include "image/unpack.h"

#include <cstdint>
#include <string>

namespace builder {

struct Fetched {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::string digest = {}; // of an archive that was downloaded: SHA-256, hex
};

// job.source into the empty directory workspace.app, owned by `user`. Throws Error{invalid_input}
// and Error{limit_exceeded} for what the pusher can mend.
Fetched fetch(const Job& job, const Workspace& workspace, BuildUser user, const base::Stop& stop);

// One implementation for each kind of source.
Fetched fetch_git_tree(const GitTree& tree, const JobLimits& limits,
                       const std::filesystem::path& target, BuildUser user, const base::Stop& stop);
Fetched fetch_archive(const Archive& archive, const JobLimits& limits,
                      const std::filesystem::path& target, BuildUser user, const base::Stop& stop);

// Over the network (remotes/repository.h), then as a git tree.
Fetched fetch_remote_commit(const RemoteCommit& commit, const Job& job,
                            const std::filesystem::path& target, BuildUser user,
                            const base::Stop& stop);
// Downloads below job.work_directory, then as any archive.
Fetched fetch_remote_archive(const RemoteArchive& archive, const Job& job,
                             const std::filesystem::path& target, BuildUser user,
                             const base::Stop& stop);
// An open file of an archive, from where it stands.
Fetched unpack_archive(int file, image::RootDirectory root, const JobLimits& limits,
                       const std::filesystem::path& target, BuildUser user, const base::Stop& stop);

} // namespace builder
