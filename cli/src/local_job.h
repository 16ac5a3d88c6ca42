// The job of `slipway build` and `slipway detect`: a directory, without a server. With a server on
// the machine its stack and its builds' settings are the defaults, so that the digest is the one
// that a push would give. main's thread.
#pragma once

#include "context.h"

#include "builder/job.h"

#include <memory>
#include <string>
#include <vector>

namespace cli {

struct LocalOptions {
    std::string directory, publish, output, build_image, run_image, cache, ca_file, runtime,
        network, slug_ignore, compression, sign_key;
    std::vector<std::string> buildpacks, given, environment, bindings;
    bool explain = false;
};

// What both commands take; the caller keeps `options` until the command has run.
void add_local_options(CLI::App& command, const std::shared_ptr<LocalOptions>& options);

// Its work directory is made; the caller removes it. Throws Error{invalid_input} for options that
// cannot be.
builder::Job make_local_job(const LocalOptions& options, const Context& context);

} // namespace cli
