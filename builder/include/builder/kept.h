// A finished image that its registry did not take: what has to be sent lies in an OCI layout of its
// own, from which it is sent later, without a build. The worker leaves it in its work directory;
// who started the worker takes it from there. One thread at a time.
#pragma once

#include "builder/job.h"

#include "base/stop.h"

#include <filesystem>
#include <string>

namespace builder {

struct KeptImage {
    Published published;   // as it will be
    std::string run_image; // reference: where its own layers come from
    std::string materials; // the record's JSON (materials.h)
};

// In a job's work directory.
std::filesystem::path kept_in(const Job& job);
// The layout in a kept image's directory: layers that were made, configuration, bills of materials,
// and the manifest, which names more than that: layers of the run image and of the image before,
// which lie in the registry.
std::filesystem::path layout_of_kept(const std::filesystem::path& directory);

// Written last: a directory without it is no kept image.
void write_kept(const std::filesystem::path& directory, const KeptImage& kept);
bool is_kept(const std::filesystem::path& directory);
KeptImage read_kept(const std::filesystem::path& directory); // throws Error{not_found}

// Sends what the job's target lacks, then the manifest, under the job's tag. Throws what the
// registries throw; Error{not_found} for a layer that is nowhere any more.
Published publish_kept(const Job& job, const std::filesystem::path& directory,
                       const base::Stop& stop);

} // namespace builder
