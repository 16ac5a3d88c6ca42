// Where a build's image goes: a registry's repository, a layout on disk, or nowhere. Any thread.
#pragma once

#include "base/error.h"
#include "builder/job.h"
#include "image/blob_store.h"
#include "registry/repository.h"

#include <memory>
#include <string>

namespace builder {

// With the access and the certificates that the job gives.
registry::Settings settings_of(const Job& job);

// What the target is to blame for, not the app whose layers were on their way; as it was thrown.
struct TargetError : base::Error {
    explicit TargetError(const base::Error& error) : base::Error(error) {}
};

// Of NoTarget a store that keeps nothing, hashes what it is given and misses nothing. Throws
// TargetError.
std::unique_ptr<image::BlobStore> open_target(const Target& target,
                                              const registry::Settings& settings);
// As one would pull it.
std::string reference_of(const Target& target, const image::Digest& digest);
std::string tag_of(const Target& target); // empty: no tag

} // namespace builder
