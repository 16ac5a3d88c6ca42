// The tables and the way from one version of them to the next.
#pragma once

#include "session.h"

#include "apps/database.h"

namespace apps {

// In one transaction a step. Throws Error{invalid_input} for a database of a newer program.
void migrate(Session& session, Database& database);

} // namespace apps
