// The description of the API, as it was embedded: server/src/api/openapi.json.
#pragma once

#include <string_view>

namespace server::api {

std::string_view openapi_document() noexcept;

} // namespace server::api
