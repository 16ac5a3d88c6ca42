// A build once more from the same source, through whichever door it is asked for. Any thread.
#pragma once

#include "site.h"

#include "apps/records.h"

namespace server {

// The commit in the repository, the stored archive or the URL of `earlier`, with the webhook whose
// credentials open it, but without the options that were that build's alone. A fork's stays one.
// Who asks, and at which door, is the caller's to fill in. Throws Error{not_found} for a source
// that is kept no longer.
Submission rebuild_of(const Site& site, const apps::Build& earlier);

} // namespace server
