// An app's image on another run image, without a build: the platform specification's rebase
// (platform.md, "Rebase" and "rebaser", API 0.15). Pure.
#pragma once

#include "image/image.h"
#include "image/reference.h"

#include <string>
#include <vector>

namespace builder {

struct RunImage {
    image::Reference name; // as somebody gave it: with a tag, a digest, both or neither
    image::Digest digest;  // of its manifest, or of the index that it was chosen from
    image::Image image;

    image::Reference pinned() const { return name.with_digest(digest); }
};

// yes: what the specification lets a person insist on (an image that says that it is not
// rebasable, another target, a run image of another name) is a warning.
enum class Force { no, yes };

struct Rebased {
    image::Image image;
    std::vector<std::string> warnings; // what was done by force
};

// On the run image that it has already it is the same image, with the same digest. Throws
// Error{invalid_input} for an app's image that buildpacks did not make or whose run image cannot be
// found in it, and for run images that it may not be put on.
Rebased rebase(const image::Image& app, const RunImage& run, Force force);

} // namespace builder
