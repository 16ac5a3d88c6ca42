#include "rebuild.h"

#include "build_options.h"
#include "build_source.h"

#include "base/error.h"

namespace server {

using base::Error;
using base::ErrorKind;

Submission rebuild_of(const Site& site, const apps::Build& earlier) {
    if (earlier.source.empty())
        throw Error(ErrorKind::not_found, "the source of " + earlier.id + " is not known any more",
                    "Push it, or send the archive, again.");
    Submission again;
    again.app = earlier.app;
    again.ref = earlier.ref;
    again.commit = earlier.commit;
    again.source = read_source(earlier, &site.keys);
    again.durable = true;
    again.rebuild = true;
    again.options.of_stranger = is_of_stranger(earlier);
    // One that was removed opens nothing any more; a public repository needs none.
    if (!earlier.hook.empty() && site.store.hooks().find(earlier.hook)) again.hook = earlier.hook;
    if (auto* tree = std::get_if<builder::GitTree>(&again.source))
        tree->quarantine.clear(); // it was published or refused: nothing waits there any more
    if (const auto* archive = std::get_if<builder::Archive>(&again.source);
        archive && !site.uploads.has(*archive))
        throw Error(ErrorKind::not_found, "the source of " + earlier.id + " is kept no longer",
                    "Send the archive again.");
    return again;
}

} // namespace server
