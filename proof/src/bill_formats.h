// One bill of materials, read: what the merged documents take from it. Values only.
#pragma once

#include "proof/bills.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace proof {

using Json = nlohmann::ordered_json;

// What every format says of a package.
struct Component {
    std::string id; // in its own document
    std::string type = "library";
    std::string name;
    std::string version;
    std::string package_url;
    std::string licence; // an SPDX expression; empty: not said, or said otherwise
};

// A document with names of its own, which `prefix` makes unique.
struct CyclonedxPart {
    int minor = 4; // of its specVersion "1.<minor>"
    std::vector<Json> components;
    std::vector<Json> dependencies;
};
struct SpdxPart {
    std::vector<Json> packages;
    std::vector<Json> relationships; // between these packages
    std::vector<Json> licences;      // hasExtractedLicensingInfos
};

// Throws Error{invalid_input} when the text is not of its format.
CyclonedxPart read_cyclonedx(const Bill& bill, const std::string& prefix);
SpdxPart read_spdx(const Bill& bill, const std::string& prefix);
std::vector<Component> read_components(const Bill& bill); // of any format

CyclonedxPart to_cyclonedx(const std::vector<Component>& components, const std::string& prefix);
SpdxPart to_spdx(const std::vector<Component>& components, const std::string& prefix);

// Letters, digits, "." and "-", as SPDX's identifiers are.
std::string spdx_id(std::string_view text);

} // namespace proof
