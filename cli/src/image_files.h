// The files in an image's layers, read entry by entry, and how two sets of them differ: for
// `slipway diff` and `slipway verify --rebuild`. Reading blocks on the store; the rest is pure.
#pragma once

#include "image/blob_store.h"
#include "image/layer_listing.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cli {

// By path. What a later layer says of a path counts.
using FileMap = std::map<std::string, image::LayerEntry>;

// Each layer passes through a file of ours, and is what its digests say. Throws what the store
// throws, Error{invalid_input} for a layer that is not.
FileMap read_files(image::BlobStore& store, const std::vector<image::Layer>& layers,
                   const base::Stop& stop);

struct FileChange {
    std::string path;
    // "missing" and "added" in what comes after, or what of it is different first: "type", "mode",
    // "owner", "target", "size", "content", "time".
    std::string what;
    std::string before, after; // for people; empty: it is not there
};
std::vector<FileChange> compare_files(const FileMap& before, const FileMap& after); // by path

// Bytes of files below each top directory: of what all paths begin with ("layers/some_pack/deps",
// the application's directory) the next part counts.
struct DirectoryChange {
    std::string directory; // "/workspace/public"
    std::uint64_t before = 0, after = 0;
};
// Those that differ in their bytes, the largest change first.
std::vector<DirectoryChange> compare_directories(const FileMap& before, const FileMap& after);

} // namespace cli
