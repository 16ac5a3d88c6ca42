#include "apps/builds.h"

#include "apps/database.h"

#include "checks.h"
#include "row.h"

#include "base/error.h"

namespace apps {

using base::Error;
using base::ErrorKind;

Claim Builds::begin(const Build& build, std::string_view parent, std::string_view worker,
                    std::chrono::milliseconds lease) {
    std::optional<Claim> begun;
    database_.write([&](Session& sql) {
        database_.take_turns(sql);
        require_app(sql, build.app);
        if (Query(sql, "SELECT 1 FROM builds WHERE app = ? AND state IN ('running', 'exporting')",
                  build.app)
                .finds())
            throw Error(ErrorKind::already_exists,
                        "a build of " + build.app + " is running, or its image waits to be sent",
                        "Try again when it has ended: slipway builds list --app " + build.app);
        const auto last = read_last_published(sql, build.app);
        if (!last || last->id != parent)
            throw Error(ErrorKind::already_exists,
                        "another release of " + build.app + " came meanwhile", "Try again.");
        Build row = build;
        row.state = BuildState::running;
        row.worker = worker;
        row.attempt = 1;
        insert_build(sql, row, "");
        const auto fence = next_fence(sql);
        Query(sql,
              "UPDATE builds SET fence = ?, lease = " + database_.now() +
                  " + ?, started = " + database_.now() + " WHERE id = ?",
              fence, lease.count(), row.id)
            .execute();
        begun =
            Claim{*Query(sql, select_builds + " WHERE id = ?", row.id).first(read_build), fence};
        write_notices(sql, begun->build);
    });
    return std::move(*begun);
}

} // namespace apps
