// The two ways out of the launcher: running an exec.d program and coming back, and becoming the
// process for good.
#pragma once

#include "documents.h"
#include "environment.h"

#include <string>
#include <vector>

namespace launch {

// Runs the program at `path` with the environment so far and descriptor 3 as its answer; returns
// the variables it wrote there.
Variables run_exec_d(const std::string& path, const Environment& environment);

// Replaces this program with the process, found through the new PATH.
[[noreturn]] void execute_direct(const Process& process, const Environment& environment,
                                 const std::string& working_directory);

// Replaces this program with a bash that reads the profile scripts, in the current directory,
// and then replaces itself with the process. `self` is $0 of the scripts.
[[noreturn]] void execute_in_shell(const Process& process, const Environment& environment,
                                   const std::string& working_directory,
                                   const std::vector<std::string>& profiles,
                                   const std::string& self);

} // namespace launch
