// The Dockerfiles of image extensions, as far as they say something that needs no container: which
// image they begin with (image_extension.md, "Dockerfile Requirements"). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace buildpacks {

// The image of its only FROM; empty for ${base_image}, the one that there is. Throws
// Error{buildpack_failed} that names `where` (extension and file) and the line for everything that
// would change an image or cannot be understood.
std::string read_from(std::string_view dockerfile, const std::string& where);

} // namespace buildpacks
