// What must be there, or must not, before a row is written. In the caller's transaction.
#pragma once

#include "session.h"

#include "apps/records.h"

#include <string_view>

namespace apps {

bool exists(Session& sql, const char* table, std::string_view name);
void require_app(Session& sql, std::string_view app); // throws Error{not_found}
void refuse_known_key(Session& sql, const Key& key);  // throws Error{already_exists}

} // namespace apps
