// Slipway's own programs and what lies beside them. At the server's start; the main thread.
#pragma once

#include "state_directory.h"

#include "server/config.h"

#include <filesystem>
#include <vector>

namespace server {

struct Programs {
    std::filesystem::path directory, launcher;
    std::vector<std::filesystem::path> buildpacks;
};

// Throws Error{not_found} for one that is missing.
Programs find_programs(const Config& config);

// Copies, because the door's user must reach them and may not reach where we were built; and a
// rebuild does not change a running server.
void install_door_programs(const StateDirectory& state, const std::filesystem::path& from);

} // namespace server
