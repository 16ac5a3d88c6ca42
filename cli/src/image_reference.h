// How an image is named on a command line: a registry's reference, a layout (oci:PATH[:TAG]), a
// build's id, or an app for its last image. main's thread.
#pragma once

#include "context.h"

#include "image/blob_store.h"

#include <memory>
#include <string>

namespace cli {

inline constexpr const char* reference_help =
    "HOST/REPOSITORY[:TAG|@DIGEST], oci:PATH[:TAG], a build's id, or an app for its last image";

struct FoundImage {
    std::string name; // with its digest, as one would pull it
    std::unique_ptr<image::BlobStore> store;
    image::RawManifest manifest; // of an index: the one for this machine
};

// Throws Error{not_found} when there is no such image, and what the server or the registry throws.
FoundImage find_image(const Context& context, const std::string& text);
image::Image read_image(const FoundImage& found, const base::Stop& stop);

// Which of these it is. Pure. Throws Error{invalid_input} for an empty one.
enum class ReferenceKind { registry, layout, build, app };
ReferenceKind kind_of_reference(const std::string& text);

struct LayoutReference {
    std::string path;
    std::string tag; // "latest" when it names none
};
LayoutReference parse_layout_reference(const std::string& text); // "oci:..."

} // namespace cli
