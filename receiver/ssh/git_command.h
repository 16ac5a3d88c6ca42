// git receive-pack or upload-pack as a child, with three pipes and an environment of our making:
// no configuration of the machine, of a user or of the pusher reaches it, and no shell is between.
// The connection's thread owns it.
#pragma once

#include "base/fd.h"
#include "base/process.h"
#include "receiver/git_request.h"
#include "ssh/door.h"
#include "ssh/options.h"

#include <string>

namespace receiver {

struct RunningGit {
    base::Process process;
    // Our ends, non-blocking.
    base::UniqueFd input;
    base::UniqueFd output;
    base::UniqueFd error;
};

RunningGit start_git(Service service, const Opened& opened, const std::string& git_protocol,
                     const Options& options);

} // namespace receiver
