// How slipway-launch gives up: one `ERROR: ...` line on stderr and an exit code of the Platform
// API. A launcher is one short run of one thread that either becomes the application or ends, so
// there is nothing to unwind and no exceptions are compiled in.
#pragma once

#include <string>
#include <string_view>

namespace launch {

enum class ExitCode : int {
    platform_api_incompatible = 11,
    buildpack_api_incompatible = 12,
    launch_failed = 82,
};

[[noreturn]] void fail(ExitCode code, std::string_view message);

// The same with exit code 82.
[[noreturn]] void fail(std::string_view message);

void warn(std::string_view message);

// "Permission denied" for EACCES and so on: the text of the errno given.
std::string reason(int error_number);

} // namespace launch
