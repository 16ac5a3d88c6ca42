#include "packages/inspect.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "image/blob_store.h"
#include "image/oci_layout.h"
#include "image/unpack.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>

namespace packages {
namespace {

namespace fs = std::filesystem;

// As a layer: pack's files have absolute names, which a layer's may be.
void unpack(const fs::path& file, const fs::path& target, const base::Stop& stop) {
    const auto bytes = base::open_file(file, O_RDONLY);
    image::unpack_layer(image::bytes_of_file(bytes.get()), target, image::LayersBelow{}, {}, stop);
}

image::Digest first_manifest(const fs::path& layout, const fs::path& file) {
    if (!fs::is_regular_file(fs::symlink_status(layout / "index.json")))
        throw base::Error(base::ErrorKind::invalid_input,
                          file.string() + " is no buildpackage: it holds no OCI layout",
                          "A .cnb file is a tar of one. slipway buildpack package makes them.");
    const auto index = base::json::parse(base::read_file(layout / "index.json", 4u << 20),
                                         "index.json of " + file.string());
    const auto manifests = index.is_object() ? index.find("manifests") : index.end();
    if (manifests == index.end() || !manifests->is_array() || manifests->empty())
        throw base::Error(base::ErrorKind::invalid_input, file.string() + " holds no image");
    return image::Digest::parse(base::json::get_string(manifests->front(), "digest"));
}

} // namespace

CnbFile read_cnb_file(const fs::path& file, const fs::path& scratch,
                      const std::string& architecture, const base::Stop& stop) {
    return base::while_doing("reading " + file.string(), [&] {
        unpack(file, scratch, stop);
        const auto digest = first_manifest(scratch, file);
        const auto layout = image::open_oci_layout(scratch);
        return CnbFile{
            image::read_image(*layout, digest.render(), architecture, file.string(), stop), digest};
    });
}

} // namespace packages
