// What must be there, or must not, before a row is written. In the caller's transaction.
#pragma once

#include "apps/records.h"

#include <soci/soci.h>

#include <string_view>

namespace apps {

bool exists(soci::session& sql, const char* table, std::string_view name);
void require_app(soci::session& sql, std::string_view app); // throws Error{not_found}
void refuse_known_key(soci::session& sql, const Key& key);  // throws Error{already_exists}

} // namespace apps
