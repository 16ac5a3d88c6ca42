// How the program `slipway` ends: stable numbers for scripts. docs/errors.md has the same table; a
// test compares them.
#pragma once

#include "base/error.h"

#include <string_view>

namespace cli {

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int other = 1;
inline constexpr int usage = 2;
inline constexpr int denied = 3;
inline constexpr int not_found = 4;
inline constexpr int conflict = 5;
inline constexpr int limit = 6;
inline constexpr int build_refused = 10;
inline constexpr int timed_out = 11;
inline constexpr int unavailable = 12;
inline constexpr int cancelled = 13;
// Of `slipway verify` alone.
inline constexpr int other_image = 14;
inline constexpr int changed = 15;
inline constexpr int not_reproduced = 16;
} // namespace exit_code

int exit_code_of(base::ErrorKind kind) noexcept;
// Of a build's final state: "published", "refused", ...
int exit_code_of_state(std::string_view state) noexcept;

} // namespace cli
