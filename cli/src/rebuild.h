// `slipway verify --rebuild`: the job that a provenance describes, done again from nothing, and how
// what went into it differs. main's thread.
#pragma once

#include "context.h"
#include "image_reference.h"

#include "builder/event.h"
#include "builder/materials.h"
#include "proof/provenance.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cli {

struct RebuildOptions {
    std::string source;                   // rebuild_source.h
    std::vector<std::string> environment; // NAME=VALUE, NAME=-, NAME=@FILE
    std::string build_image, run_image;   // where they can be had, when not where they were
    std::vector<std::string> buildpacks;  // directories with an order.toml
    // Whoever signed the provenance chose the app, the variables' names, the source and the
    // buildpacks that are given their values: only this server's own word is given what it keeps.
    bool by_this_server = false;
};

struct Rebuilt {
    Rebuilt() = default;
    Rebuilt(Rebuilt&&) = default;
    ~Rebuilt(); // removes the work directory
    std::filesystem::path work_directory;
    builder::Outcome outcome;
    FoundImage image;             // when it was published: in a layout below the work directory
    builder::Materials materials; // likewise
    std::vector<std::string> without_value; // variables that nobody gave a value for
};

// Builds with no cache, no image before and nothing of the app's but its variables' values: from
// --env, else the server's app, else the server's settings. `say`: what a person watches.
Rebuilt rebuild(const proof::Provenance& provenance, const RebuildOptions& options,
                const Context& context, const std::function<void(const std::string&)>& say);

struct InputDifference {
    std::string name;          // "Slipway", "source", "buildpack a/b", "variable NAME"
    std::string recorded, now; // empty: it is not there
};
// Slipway's own version comes first.
std::vector<InputDifference> compare_inputs(const proof::Provenance& recorded,
                                            const builder::Materials& now,
                                            const std::string& version);

// Those that somebody named outside of the source, each at the commit or the digest that the
// provenance has of it; as it was named where it has none.
std::vector<std::string> pinned_buildpacks(const proof::Provenance& provenance);

} // namespace cli
