// Files and directories that many processes share and one removes once nobody uses them. Who uses
// one has a shared lock on it (flock), which ends with its process, however that ends; who removes
// one holds it alone while deciding and renaming it away. Any thread. Throws base::Error when a
// lock cannot be had at all.
#pragma once

#include "base/fd.h"

#include <filesystem>
#include <functional>

namespace base {

// What stands at the path now is used until the descriptor closes. Waits for one who is deciding
// about it: a moment. Empty: nothing stands there, or not any more.
UniqueFd use(const std::filesystem::path& path);

// The same until this process ends. False: nothing stands there.
bool use_to_the_end(const std::filesystem::path& path);

// Calls `decide` while nobody uses what stands at the path, nor begins to. False: somebody uses it,
// or nothing stands there.
bool while_unused(const std::filesystem::path& path, const std::function<void()>& decide);

} // namespace base
