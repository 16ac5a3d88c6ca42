// Why each layer that a build puts on its run image is there: kept, found again, or made because of
// what. For people who look at an image, by way of its provenance. Pure.
#pragma once

#include "phases/export.h"

#include "proof/provenance.h"

#include <string>

namespace builder {

struct LayerSubject {
    std::string made_by; // as the image's history has it
    // Of a buildpack's layer; else empty.
    std::string buildpack = {}, version = {}, layer = {};
    std::string metadata_json = {};
};

// A resource "layer" (proof/provenance.h). previous: null for the first build.
proof::Resource describe_layer(const LayerSubject& subject, const image::Layer& layer,
                               LayerOrigin origin, const PreviousImage* previous);

} // namespace builder
