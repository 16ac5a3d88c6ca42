// How an image is named on a command line: a registry's reference, a layout (oci:PATH[:TAG]), a
// build's id, or an app for its last image. main's thread.
#pragma once

#include "context.h"

#include "image/blob_store.h"
#include "image/copy.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cli {

inline constexpr const char* reference_help =
    "HOST/REPOSITORY[:TAG|@DIGEST], oci:PATH[:TAG|@DIGEST], a build's id, or an app for its last "
    "image";
inline constexpr const char* destination_help = "HOST/REPOSITORY[:TAG] or oci:PATH[:TAG]";

struct FoundImage {
    std::string name; // with its digest, as one would pull it
    std::unique_ptr<image::BlobStore> store;
    image::RawManifest manifest;
    std::string registry = {}, repository = {}; // empty: a layout
};

// Of an index: the manifest for this machine, or the index.
enum class OfIndex { this_machine, whole };
// Throws Error{not_found} when there is no such image, and what the server or the registry throws.
FoundImage find_image(const Context& context, const std::string& text,
                      OfIndex of_index = OfIndex::this_machine);
image::Image read_image(const FoundImage& found, const base::Stop& stop);

// Where an image goes. A layout that is not there is made.
struct Destination {
    std::string place; // without tag or digest
    std::unique_ptr<image::BlobStore> store;
    std::string tag;
    std::string registry = {}, repository = {}; // empty: a layout
};
// Throws Error{invalid_input} for what is no destination: a digest, a build, an app.
Destination open_destination(const Context& context, const std::string& text);
// image::copy of a manifest that lies where `from` does, with mounts where both are in one
// registry.
image::CopyReport copy_image(const FoundImage& from, const image::RawManifest& manifest,
                             const Destination& to, image::CopyOptions options,
                             const base::Stop& stop);
// "3 manifests; of 12 blobs 4 were sent (12.3 MB), 2 mounted, 6 were there".
std::string describe(const image::CopyReport& report);

// Whether one of the names that an image was signed for (proof::Evidence) is that of the repository
// that it was found in. Of a registry's host nothing is asked: a server's has one inside and
// another outside, and mirrors have theirs. Pure.
bool is_repository_of(const FoundImage& found, const std::vector<std::string>& signed_for);

// Which of these it is. Pure. Throws Error{invalid_input} for an empty one.
enum class ReferenceKind { registry, layout, build, app };
ReferenceKind kind_of_reference(const std::string& text);

struct LayoutReference {
    std::string path;
    std::string tag = {}; // empty: it names none
    std::optional<image::Digest> digest = {};
};
LayoutReference parse_layout_reference(const std::string& text); // "oci:..."

} // namespace cli
