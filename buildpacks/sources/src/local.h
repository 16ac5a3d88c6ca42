// Buildpacks that need no network: folders and scripts of the app. One thread.
#pragma once

#include "sources/project.h"

#include "base/stop.h"

#include <filesystem>
#include <string>

namespace sources {

// A copy of what lies at `relative` below `root`, into the new directory `target`: the app may
// change it later. Links stay links, and none is followed. Throws Error{not_found} when there is no
// such directory, Error{limit_exceeded}.
void copy_beneath(const std::filesystem::path& root, const std::string& relative,
                  const std::filesystem::path& target, std::uint64_t most_bytes,
                  const base::Stop& stop);

// Those of a buildpack, as classic platforms have it also where their author or a zip forgot the
// bit.
void make_programs_executable(const std::filesystem::path& buildpack);

// The buildpack of one script, into the new directory `target`.
void write_inline_script(const InlineScript& script, const std::filesystem::path& target);

} // namespace sources
