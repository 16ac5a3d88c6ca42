// A directory of a person's as the archive that a push of it would be. main's thread.
#pragma once

#include "base/stop.h"

#include <filesystem>

namespace cli {

// In a git work tree: what git tracks or would add (.gitignore counts); else everything but .git.
void write_source_archive(const std::filesystem::path& directory,
                          const std::filesystem::path& archive, const base::Stop& stop);

} // namespace cli
