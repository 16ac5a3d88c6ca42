// The source that a provenance names, here again: out of a repository of the person's, or from
// where it was. main's thread.
#pragma once

#include "context.h"

#include "builder/job.h"
#include "proof/provenance.h"

#include <filesystem>
#include <string>

namespace cli {

// given: a clone, an archive or a directory; empty: the server's repository on this machine, else
// where the provenance says that it came from. `scratch` must outlive the build. Throws
// Error{invalid_input} with the way out when what is there is not that source, and what git says.
builder::Source bring_source(const proof::Provenance& provenance, const std::string& given,
                             const std::filesystem::path& scratch, const Context& context);

} // namespace cli
