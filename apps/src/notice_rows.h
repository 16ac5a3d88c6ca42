// Who is told about builds, and what: rows for those who are in a transaction already.
#pragma once

#include "session.h"

#include "apps/hooks.h"

#include <optional>
#include <string_view>
#include <vector>

namespace apps {

std::optional<Hook> find_hook(Session& sql, std::string_view id);
std::vector<Subscription> list_subscriptions(Session& sql, std::string_view app);
void insert_notice(Session& sql, const Notice& notice); // its app exists

} // namespace apps
