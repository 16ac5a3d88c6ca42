// What may be named as a buildpack by somebody outside of the app's source. Pure.
#pragma once

#include <cstddef>
#include <string>

namespace server {

inline constexpr std::size_t most_buildpacks = 50; // of an app, of a build

// Throws Error{invalid_input}: empty, too long, unprintable, or a URL with a password, which
// everybody who may push would see in the list and the log.
void check_buildpack_uri(const std::string& uri);

} // namespace server
