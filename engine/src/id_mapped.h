// Detached copies of mounts, and another look at who owns the files in them. Throws base::Error.
// One thread; the process must be single-threaded for map_owner, which forks.
#pragma once

#include "base/fd.h"

#include <filesystem>

namespace engine {

// A copy of the mount at `source` that is not in the tree yet (open_tree(2)).
base::UniqueFd clone_tree(const std::filesystem::path& source);

// Lets files of the root directory's owner and group appear as owned by `id`. Leaves the tree as
// it is where the file system or the kernel (before 5.12) cannot do so, and says so by false.
bool map_owner(int tree, unsigned id);

} // namespace engine
