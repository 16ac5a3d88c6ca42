// The new process between fork and exec.
#pragma once

#include "request.h"

namespace init {

// Becomes the command of the request with null_fd, out_fd and err_fd as its only descriptors (all
// others of init are close-on-exec) and default signals. A failure is told on err_fd.
[[noreturn]] void become_command(const Request& request, int null_fd, int out_fd, int err_fd);

} // namespace init
