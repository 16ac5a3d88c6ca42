// Which finished builds may answer for a new one that has the same inputs (builder/job.h). Any
// thread.
#pragma once

#include "server/config.h"

#include "apps/builds.h"
#include "builder/job.h"

#include "base/secret.h"

#include <filesystem>

namespace server {

// What the keys of all apps are made with: nobody can try guesses of an app's variables on a key
// without it. Made, for the owner alone, when it is not there; without the file, no old key fits.
base::Secret open_inputs_key(const std::filesystem::path& file);

struct SameInputs {
    const Config& config;
    apps::Builds& builds;
    const base::Secret& key; // empty: no build answers for another
};
// Of this app, from its branches and from the proposal that `build` is of: what nobody has merged
// answers for nothing else.
builder::KnownInputs known_inputs(const SameInputs& settings, const apps::Build& build);

// A worker says which build made its image; it may name those alone that it was given.
bool is_offered(const builder::KnownInputs& known, const builder::Published& published);

} // namespace server
