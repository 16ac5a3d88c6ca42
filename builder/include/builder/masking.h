// The secrets of one build, and what it says without them: the worker masks what buildpacks print
// before it cuts it into lines, the server once more what a worker says before it keeps it. Pure;
// any thread.
#pragma once

#include "builder/event.h"
#include "builder/job.h"

#include "base/secret_mask.h"

namespace builder {

// Values of the job's environment (but those of PATH and the like, and the operator's own unless
// they are secrets by their name or a URL with a password), tokens and keys of its source,
// passwords of registries, and what service bindings hold.
base::SecretMask mask_of(const Job& job);

// All text that a build may choose. An image's reference and digest stay: they are the registry's.
Event masked(const base::SecretMask& mask, Event event);

} // namespace builder
