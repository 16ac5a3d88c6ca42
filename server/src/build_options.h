// What was asked of one build, between its submission, its row and its job. The environment is
// sealed in the row; everything else is there to be read. Any thread.
#pragma once

#include "apps/records.h"
#include "builder/job.h"

#include "base/crypto.h"

namespace server {

// Fills in row.options and row.sealed. Throws Error{unavailable} for an environment without keys.
void write_options(const builder::BuildOptions& options, const base::KeyRing* keys,
                   apps::Build& row);
builder::BuildOptions read_options(const apps::Build& row, const base::KeyRing* keys);
// Of a row alone, without a key.
std::string rebase_of(const apps::Build& row); // the release before; empty: it is no rebase
bool is_dry_run(const apps::Build& row);
bool is_of_stranger(const apps::Build& row);
void apply_options(const builder::BuildOptions& options, builder::Job& job);

} // namespace server
