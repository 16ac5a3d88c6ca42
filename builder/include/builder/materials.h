// What a build was made from, as its worker saw it: a Record of the name "materials". A value.
#pragma once

#include "builder/job.h"

#include "proof/attach.h"
#include "proof/provenance.h"

#include <string>
#include <string_view>
#include <vector>

namespace builder {

inline constexpr const char* materials_record = "materials";

struct Materials {
    // The source, the images of the stack, the buildpacks that built, in their order.
    std::vector<proof::Resource> dependencies;
    std::vector<std::string> environment; // names, never values
    // The layers that were put on the run image, with why each was made or not.
    std::vector<proof::Resource> layers = {};
    // The bills of materials, merged; they lie in the target already.
    std::vector<proof::Document> bills = {};
};

// What the job alone says: for the worker to go on with.
Materials materials_of(const Job& job);

std::string render_materials(const Materials& materials);
Materials parse_materials(std::string_view json); // throws Error{invalid_input}

// Of the same image on another run image; both with their digests. from: the image as it was.
Materials on_run_image(Materials materials, const std::string& run, const std::string& from);

// A URL as it may be published: without user, password and query.
std::string public_url(std::string_view url);

} // namespace builder
