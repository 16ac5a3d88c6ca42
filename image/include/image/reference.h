// Where an image is: registry, repository, and a tag or a digest or neither
// (distribution-spec, "Pulling manifests"). A Reference is always valid.
#pragma once

#include "image/digest.h"

#include <optional>
#include <string>
#include <string_view>

namespace image {

struct Reference {
    std::string registry;   // "host[:port]"
    std::string repository; // "path/of/parts"
    std::optional<std::string> tag;
    std::optional<Digest> digest;

    // "host[:port]/repo[:tag][@digest]". Without a host the registry is docker.io (one-part names
    // below library/), as people write it. Throws Error{invalid_input} naming what is wrong.
    static Reference parse(std::string_view text);
    std::string render() const;
    Reference with_tag(std::string tag) const;     // drops the digest
    Reference with_digest(const Digest& of) const; // drops the tag
};

} // namespace image
