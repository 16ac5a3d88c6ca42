// The few commands beside git (receiver/ssh_command.h): asks the daemon and writes what it says to
// the client. One thread, that of the connection.
#pragma once

#include "base/stop.h"
#include "receiver/ssh_command.h"
#include "ssh/front.h"

namespace receiver {

// Returns the exit code, the CLI's (docs/errors.md). A client that leaves ends it.
int run_ssh_command(Front& front, const Door& door, const SshCommand& command,
                    const base::Stop& stop);

} // namespace receiver
