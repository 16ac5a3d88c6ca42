// Between rows of the database and records.
#pragma once

#include "query.h"

#include "apps/records.h"

#include <soci/soci.h>

#include <optional>
#include <string>
#include <string_view>

namespace apps {

extern const std::string of_proposal;   // a condition: its image is not the app's
extern const std::string select_builds; // "SELECT ... FROM builds"
extern const std::string queued_builds; // a condition
extern const std::string parked_builds; // a condition: nobody sends the image that it made now
// A build's id, or that of the first one with its source: ids sort by the time they were made at.
extern const std::string age_of_source;
Build read_build(const soci::row& row);
// The app's last release.
std::optional<Build> read_last_published(Session& sql, std::string_view app);
void insert_build(Session& sql, const Build& build, std::string_view once);
// What a worker learns of a build. With a fence: of one that is held with it alone. False: there
// is none.
bool update_build(Session& sql, const Build& build, std::optional<std::int64_t> fence = {});
// A condition with one value, a build's ref: rows whose images take the tag that this build's
// takes. All branches have one tag, each proposal its own.
std::string same_tag(Session& sql, std::string_view build);
// A build becomes superseded. now: Database::now(). False: the condition holds for it no more.
bool supersede_build(Session& sql, const std::string& now, std::string_view build,
                     const std::string& condition, std::string_view reason);
// Above every fence that was given. Within a transaction that has the turn (Database::take_turns).
std::int64_t next_fence(Session& sql);
// Who takes turns: an owner's apps together, an app without an owner alone.
std::string share_of(const Build& build);
std::string render_phases(const Build& build);
std::string render_processes(const Build& build);

extern const std::string select_keys;
Key read_key(Session& sql, const soci::row& row);

} // namespace apps
