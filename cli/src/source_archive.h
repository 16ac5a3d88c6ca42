// A directory of a person's as the archive that a push of it would be. main's thread.
#pragma once

#include "image/layer_writer.h"

#include "base/stop.h"

#include <filesystem>
#include <string>

namespace cli {

struct SourceArchive {
    // Of all names; empty: none. With one nobody takes a directory of the app's for it.
    std::string root = {};
    image::Compression compression = image::Compression::none;
};

// In a git work tree: what git tracks or would add (.gitignore counts); else everything but .git.
void write_source_archive(const std::filesystem::path& directory,
                          const std::filesystem::path& archive, const base::Stop& stop,
                          const SourceArchive& form = {});

} // namespace cli
