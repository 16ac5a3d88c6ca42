// What the unpacked layers under a layer show together, as overlayfs merges them: the topmost of
// each name, nothing behind a whiteout, an opaque directory or something that is no directory.
#pragma once

#include "image/unpack.h"

#include "base/fd.h"

#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>

namespace image {

struct FoundBelow {
    base::UniqueFd parent; // of the layer that has it
    std::string base;
    struct stat status;
};

// With the mount option userxattr.
inline constexpr const char* opaque_attribute = "user.overlay.opaque";
bool is_opaque(int directory);

// name: clean and relative. No link is followed: below a link there is nothing.
std::optional<FoundBelow> find_below(const LayersBelow& layers, std::string_view name);

} // namespace image
