// The files that a classic build left for us in its slot (src/classic/build.sh), read with
// distrust: the buildpack could write there too.
#pragma once

#include "buildpacks/buildpack.h"

namespace buildpacks {

// The line of bin/detect, printable; empty when it said nothing.
std::string read_name(const std::filesystem::path& slot);

// Throws Error{buildpack_failed} that names the buildpack.
Built read_classic_build(const HostPlaces& places, const Info& info);

// JSON of bin/report; empty when there is none that can be read.
std::optional<std::string> read_classic_report(const HostPlaces& places);

} // namespace buildpacks
