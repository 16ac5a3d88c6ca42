// At the end of detect: image extensions say which run image the app shall have
// (image_extension.md, "Generation"). No other change of an image is made: buildpacks::
// load_extension refuses what asks for one.
#pragma once

#include "phases/build.h"
#include "registry/image_store.h"
#include "registry/repository.h"

#include <optional>

namespace builder {

// Where run images are read: with the access that the build has to its own.
struct ImageAccess {
    const registry::ImageStore& images;
    const registry::Settings& settings;
};

// Runs the extensions, and takes the entries of the buildpacks' plans that these meet, which are
// all of their own. The image that the last extension names which names one, pinned; empty: the run
// image stays. Throws as BuildPhase::run, and Error{buildpack_failed | unavailable} for an image
// that cannot be read.
std::optional<registry::PinnedImage> generate(DetectedGroup& group, BuildPhase& phase,
                                              engine::Sandbox& sandbox, const ImageAccess& access,
                                              const base::Stop& stop);

} // namespace builder
