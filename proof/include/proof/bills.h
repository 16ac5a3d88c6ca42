// The bills of materials of an image as one: what each buildpack gave for its layers, in CycloneDX
// (1.4 to 1.6), SPDX 2.3 or Syft's JSON, becomes one CycloneDX and one SPDX document. A layer that
// has only one of the formats is converted to the others: name, version, package URL, licence.
// Pure; the same bills give the same bytes.
#pragma once

#include "image/digest.h"

#include <string>
#include <string_view>
#include <vector>

namespace proof {

inline constexpr std::string_view cyclonedx_media_type = "application/vnd.cyclonedx+json";
inline constexpr std::string_view spdx_media_type = "application/spdx+json";

struct Bill {
    std::string origin; // whose: "example_buildpack/layer", as it lies in the image
    enum class Format { cyclonedx, spdx, syft } format = Format::cyclonedx;
    std::string text;
};

struct MergedBills {
    std::string cyclonedx, spdx;
    std::size_t packages = 0;               // of the CycloneDX document, nested ones included
    std::vector<std::string> left_out = {}; // sentences about bills that cannot be read
};

// name: of the image, as one would pull it, without tag and digest.
MergedBills merge_bills(const std::vector<Bill>& bills, std::string_view name,
                        const image::Digest& image);

struct Package {
    std::string type; // of its package URL ("npm"), or CycloneDX's
    std::string name;
    std::string version;
    auto operator<=>(const Package&) const = default;
};
// Of a CycloneDX document, nested ones included; sorted, each once. Throws Error{invalid_input}.
std::vector<Package> packages_of(std::string_view cyclonedx);

} // namespace proof
