#include "rebuild.h"

#include "build_options.h"
#include "build_source.h"

#include "base/error.h"

namespace server {

using base::Error;
using base::ErrorKind;

namespace {

// A rebase has its source from the build that it began with, whose row alone has a URL whole.
apps::Build built_from(apps::Builds& builds, apps::Build row) {
    for (auto parent = rebase_of(row); !parent.empty(); parent = rebase_of(row)) {
        auto before = builds.find(parent);
        if (!before && row.source_kind == "url")
            throw Error(ErrorKind::not_found,
                        "the URL of " + row.id + " went with the build that it was rebased from, " +
                            parent,
                        "Start a build from the URL again.");
        if (!before) break;
        row = std::move(*before);
    }
    return row;
}

} // namespace

Submission rebuild_of(const Site& site, const apps::Build& asked) {
    const auto earlier = built_from(site.store.builds(), asked);
    if (earlier.source.empty())
        throw Error(ErrorKind::not_found, "the source of " + asked.id + " is not known any more",
                    "Push it, or send the archive, again.");
    Submission again;
    again.app = earlier.app;
    again.ref = earlier.ref;
    again.commit = earlier.commit;
    again.source = read_source(earlier, &site.keys);
    again.durable = true;
    again.retry_of = earlier.retry_of.empty() ? earlier.id : earlier.retry_of;
    again.options.of_stranger = is_of_stranger(earlier);
    // One that was removed opens nothing any more; a public repository needs none.
    if (!earlier.hook.empty() && site.store.hooks().find(earlier.hook)) again.hook = earlier.hook;
    if (auto* tree = std::get_if<builder::GitTree>(&again.source))
        tree->quarantine.clear(); // it was published or refused: nothing waits there any more
    if (const auto* archive = std::get_if<builder::Archive>(&again.source);
        archive && !site.uploads.has(*archive))
        throw Error(ErrorKind::not_found, "the source of " + asked.id + " is kept no longer",
                    "Send the archive again.");
    return again;
}

} // namespace server
