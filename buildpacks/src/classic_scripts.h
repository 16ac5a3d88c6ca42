// The shell that runs inside the sandbox or the image for classic buildpacks: src/classic/*.sh, as
// text. It goes to bash as an argument, so that no file of ours has to lie in a stack.
#pragma once

#include <string_view>

namespace buildpacks::scripts {

extern const std::string_view detect;
extern const std::string_view build;
extern const std::string_view app_profile;        // sourced by a shell process
extern const std::string_view app_profile_exec_d; // exec.d, for a direct one

} // namespace buildpacks::scripts
