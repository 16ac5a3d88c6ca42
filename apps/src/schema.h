// The tables and the way from one version of them to the next.
#pragma once

#include "apps/database.h"

#include <soci/session.h>

namespace apps {

// In one transaction a step. Throws Error{invalid_input} for a database of a newer program.
void migrate(soci::session& session, Database& database);

} // namespace apps
