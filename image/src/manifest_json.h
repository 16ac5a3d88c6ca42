// Descriptors as JSON, shared by image.cpp, blob_store.cpp and the layout. Values only.
#pragma once

#include "image/image.h"

#include <nlohmann/json.hpp>

namespace image {

// Throws Error{invalid_input}: media type, digest and a size below 1 TiB are demanded; `urls` and
// everything else is ignored (a foreign URL in a manifest must never be asked for anything).
Descriptor parse_descriptor(const nlohmann::json& value);
nlohmann::ordered_json render_descriptor(const Descriptor& descriptor);

// The configuration's descriptor of a manifest of either family.
Descriptor config_of_manifest(std::string_view manifest);

bool is_index_type(std::string_view type);
bool is_manifest_type(std::string_view type);

} // namespace image
